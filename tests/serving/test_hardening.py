"""What serving/hardening.py extends of uvicorn is as it was when it was written."""

from __future__ import annotations

import contextlib
import inspect
import socket
from importlib import metadata
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http import httptools_impl
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.supervisors import Multiprocess

from mnist_adder.serving.hardening import listen

PROTOCOL, CYCLE = httptools_impl.HttpToolsProtocol, httptools_impl.RequestResponseCycle
EXTENDED = (
    "uvicorn {version} has changed {what}, which serving/hardening.py extends: read both, then move the bound"
)


def changed(what: str) -> str:
    return EXTENDED.format(version=metadata.version("uvicorn"), what=what)


def code(function: Any) -> str:
    return inspect.getsource(function)


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        (PROTOCOL.__init__, ["self", "config", "server_state", "app_state", "_loop"]),
        (PROTOCOL.connection_made, ["self", "transport"]),
        (PROTOCOL.connection_lost, ["self", "exc"]),
        (PROTOCOL.eof_received, ["self"]),
        (PROTOCOL.data_received, ["self", "data"]),
        (PROTOCOL.on_headers_complete, ["self"]),
        (PROTOCOL.on_body, ["self", "body"]),
        (PROTOCOL.on_response_complete, ["self"]),
        (PROTOCOL.send_400_response, ["self", "msg"]),
        (Multiprocess.__init__, ["self", "config", "sockets"]),
        (uvicorn.Server.run, ["self", "sockets"]),
    ],
    ids=lambda value: value.__qualname__ if callable(value) else "",
)
def test_what_is_overridden_takes_what_it_took(function: Any, parameters: list[str]) -> None:
    assert list(inspect.signature(function).parameters) == parameters, changed(function.__qualname__)


@pytest.mark.parametrize(
    ("where", "what"),
    [
        (PROTOCOL.data_received, "self.send_400_response("),
        (PROTOCOL.on_headers_complete, "self.cycle = RequestResponseCycle("),
        (PROTOCOL.on_headers_complete, "on_response=self.on_response_complete"),
        (PROTOCOL.on_headers_complete, "self.pipeline.appendleft((self.cycle, app))"),
        (PROTOCOL.on_response_complete, "self.pipeline.pop()"),
        (PROTOCOL.on_body, "self.cycle.body += body"),
        (PROTOCOL.connection_lost, "self.cycle.disconnected = True"),
        (CYCLE.send, "if self.disconnected:\n            return"),
        (CYCLE.send, "self.on_response()"),
        (CYCLE.receive, "self.more_body"),
    ],
    ids=lambda value: value.__qualname__ if callable(value) else value.split("\n")[0],
)
def test_methods_still_do_what_is_relied_on(where: Any, what: str) -> None:
    assert what in code(where), changed(where.__qualname__)


def test_a_connection_has_what_is_read_of_it() -> None:
    for name in ("loop", "connections", "transport", "flow", "pipeline", "cycle"):
        assert f"self.{name}" in code(PROTOCOL.__init__), changed(f"HttpToolsProtocol.{name}")
    for name in ("disconnected", "keep_alive", "more_body", "response_complete"):
        assert f"self.{name}" in code(CYCLE.__init__), changed(f"RequestResponseCycle.{name}")
    assert "self.write_paused" in code(FlowControl.__init__), changed("FlowControl.write_paused")
    assert httptools_impl.STATUS_LINE[431].startswith(b"HTTP/1.1 431 "), changed("STATUS_LINE")


def test_an_address_is_listened_on_once_for_each_connection_of_a_turn() -> None:
    sockets = listen("127.0.0.1", 0)
    try:
        assert len({each.getsockname() for each in sockets}) == 1
        with socket.create_connection(sockets[0].getsockname()), sockets[-1].accept()[0]:
            pass
    finally:
        for each in sockets:
            each.close()


def test_localhost_is_every_address_that_a_client_may_take_it_for() -> None:
    sockets = listen("localhost", 0)
    listened = {one.getsockname()[0] for one in sockets}
    port = sockets[0].getsockname()[1]
    for one in sockets:
        one.close()
    expected = {"127.0.0.1"}
    with contextlib.suppress(OSError), socket.create_server(("::1", port), family=socket.AF_INET6):
        expected.add("::1")
    assert listened == expected
