"""What ``mnist-adder serve`` refuses; tests/serving tests what it answers."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

RunCLI = Callable[..., tuple[int, str, str]]


def test_a_run_that_is_not_there_is_one_line(run_cli: RunCLI) -> None:
    code, _, err = run_cli("serve", "--run", "nothing")
    assert code == 2
    assert err.startswith("mnist-adder: There is no run folder nothing")


@pytest.mark.parametrize("host", ["", "a..b", "a\0b", "\u00e9" * 70, "256.0.0.1"])
def test_a_host_that_is_none_is_one_line(host: str, run_cli: RunCLI) -> None:
    code, _, err = run_cli("serve", "--host", host, "--port", "0")
    assert code == 2
    assert err.startswith("mnist-adder: ")
    assert "--host" in err.splitlines()[-1]


@pytest.mark.parametrize("path", ["digits", "/a b", "/x'\"><script>", "/a//b", "/v2", "/docs/x", "/../x?"])
def test_a_root_path_that_cannot_be_one_is_one_line(path: str, run_cli: RunCLI) -> None:
    code, _, err = run_cli("serve", "--root-path", path, "--port", "0")
    assert code == 2
    assert "root path" in err.splitlines()[-1]


@pytest.mark.parametrize("origin", ["example.com", "https://example.com/", "ftp://example.com", ""])
def test_an_origin_that_is_none_is_refused(origin: str, run_cli: RunCLI) -> None:
    code, _, err = run_cli("serve", "--allow-origin", origin, "--port", "0")
    assert code == 2
    assert "https://example.com" in err


def test_a_port_that_is_taken_is_one_line(run_cli: RunCLI) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code, _, err = run_cli("serve", "--port", port)
    assert code == 2
    assert f"127.0.0.1:{port} cannot be used" in err.splitlines()[-1]
