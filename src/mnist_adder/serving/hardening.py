"""All that reaches into uvicorn: its connection within bounds, its sockets, its worker processes.

uvicorn's own connection waits for a head without end, keeps whatever comes of it, and lets requests pile up;
:class:`Connection` refuses or ends that. It extends methods and attributes of ``HttpToolsProtocol`` that
uvicorn does not promise to keep: hence the upper bound on uvicorn in pyproject.toml, and
tests/serving/test_hardening.py, which says what another version lacks. What each limit is there against
stands beside it in :class:`~mnist_adder.serving.limits.Limits`.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from contextlib import suppress
from typing import Any

import orjson
import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.supervisors import Multiprocess

from mnist_adder.errors import AddressError
from mnist_adder.serving.limits import Limits

if sys.platform != "win32":
    import resource

ACCEPTED_AT_ONCE = 16
"""New connections that are taken in each turn of the loop: one for each time it listens to the same socket.
With one alone, many that come at once, while others are answered, would wait for seconds."""
BACKLOG = 2048
"""Connections that wait to be taken, at most; more are refused by the system."""
_OTHER_FILES = 100  # libraries, models, log, sockets that listen, connections that are just being refused


class Connection(HttpToolsProtocol):
    """One client's connection, for ``uvicorn.Config(http=partial(Connection, limits=limits))``."""

    def __init__(self, *arguments: Any, limits: Limits, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.limits = limits
        self._beside = 0  # bytes since the last answer that are of no body: heads, sizes of chunks, trailers
        self._first: RequestResponseCycle | None = None  # what is worked on, where others wait behind it

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request, or refuse."""
        super().connection_made(transport)
        self._timer = self.loop.call_later(self.limits.idle_seconds, self._end_if_idle, None)
        if len(self.connections) > (most := connections_allowed(self.limits)):
            self._refuse(503, f"There are {most:,} connections, the most allowed: try again later.")

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._timer.cancel()
        if self._first is not None:
            self._first.disconnected = True
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]
        """Let a client that has said all, and hung up its side, still have its answer."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete or cycle.more_body:
            return False  # it has gone
        cycle.keep_alive = False
        return True

    def data_received(self, data: bytes) -> None:
        """Take what has come. Bodies are bounded by ``AdmissionControl``, all else is here."""
        self._beside += len(data)
        super().data_received(data)
        if (self.pipeline or self._beside > self.limits.head_bytes) and not self.transport.is_closing():
            self._refuse_excess()

    def _refuse_excess(self) -> None:
        if self._beside > self.limits.head_bytes:
            self._refuse(431, f"The head has more than {self.limits.head_bytes:,} bytes, the most allowed.")
        elif len(self.pipeline) > self.limits.pipelined:
            self._refuse(503, f"More than {self.limits.pipelined} requests wait on this connection.")

    def on_headers_complete(self) -> None:
        """Begin a request, or let it wait for those before it."""
        before = self.cycle
        super().on_headers_complete()
        if self.pipeline and self._first is None:
            self._first = before

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        self._beside -= len(body)
        super().on_body(body)

    def on_response_complete(self) -> None:
        """Go on to the next request."""
        self._beside = 0
        self._first = self.pipeline[-1][0] if self.pipeline else None
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        self._refuse(400, "This is no request of HTTP/1.1, or one that can be read in two ways.")

    def _end_if_idle(self, before: object) -> None:
        """End the connection if its client alone has been waited for since the last look.

        That is for a first head or the next, however slowly its bytes come, or to take an answer.
        """
        cycle = self.cycle
        waits = cycle is None or cycle.response_complete or self.flow.write_paused
        if waits and cycle is before:
            self.transport.abort()
        else:
            now = cycle if waits else self  # which no cycle is
            self._timer = self.loop.call_later(self.limits.idle_seconds, self._end_if_idle, now)

    def _refuse(self, status: int, detail: str) -> None:
        """Answer with one sentence and hang up."""
        if self.cycle is not None:
            self.cycle.disconnected = True  # what it still answers is no longer wanted
        content = orjson.dumps({"detail": detail})
        self.transport.write(
            STATUS_LINE[status]
            + b"content-type: application/json\r\nconnection: close\r\n"
            + b"content-length: %d\r\n\r\n%b" % (len(content), content)
        )
        self.transport.close()


def raise_file_limit(limits: Limits) -> None:
    """Have the system allow as many open files as connections need, as far as it does."""
    if sys.platform != "win32":
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = limits.connections + _OTHER_FILES
        if soft != resource.RLIM_INFINITY and soft < wanted:
            most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def connections_allowed(limits: Limits) -> int:
    """How many connections there may be, by the limits and by the open files that the system allows."""
    if sys.platform != "win32":
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != resource.RLIM_INFINITY:
            return max(1, min(limits.connections, soft - _OTHER_FILES))
    return limits.connections


def listen(host: str, port: int) -> list[socket.socket]:
    """The sockets of an address, each as often as it is listened to; who asks before all is ready waits.

    Raises:
        AddressError: the address is taken or does not exist, or the host is empty.
    """
    if not host:
        raise AddressError(
            "The host is empty, which means every address. Write --host 0.0.0.0 if that is meant."
        )
    listeners = [_bind(host, port)]
    if host == "localhost":  # for some clients that is ::1 alone
        with suppress(AddressError):  # no IPv6 here
            listeners.append(_bind("::1", listeners[0].getsockname()[1]))
    return [*listeners, *(one.dup() for one in listeners for _ in range(ACCEPTED_AT_ONCE - 1))]


def _bind(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        if sys.platform == "win32":  # where SO_REUSEADDR would let another process take the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except (OSError, TypeError) as error:  # the latter: no name can be written so
        listener.close()
        reason = error.strerror if isinstance(error, OSError) else "no name is written so"
        raise AddressError(
            f"{host}:{port} cannot be used: {reason}. Name another --port or --host."
        ) from None
    return listener


def run(config: uvicorn.Config, sockets: list[socket.socket]) -> None:
    """Serve until a signal, in one process or several."""
    if config.workers > 1:
        Multiprocess(config, sockets=sockets).run()
    else:
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=sockets)
