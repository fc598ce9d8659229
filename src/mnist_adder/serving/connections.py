"""A connection within bounds: how many there are, how long one may wait for its client, how much a head has.

Bytes come in, requests go on to ``frame``. uvicorn's own connection, which this extends, waits for a head
without end and keeps whatever comes of it; what it leaves unbounded is refused or ended here.
"""

from __future__ import annotations

import asyncio
import functools
import sys
from typing import ClassVar

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from mnist_adder.serving.limits import Limits

if sys.platform != "win32":
    import resource

_OTHER_FILES = 100  # libraries, models, log, sockets that listen, connections that are just being refused


class Connection(HttpToolsProtocol):
    """One client's connection, for ``uvicorn.Config(http=Connection)``."""

    limits: ClassVar[Limits] = Limits()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request, or refuse."""
        super().connection_made(transport)
        self._beside = 0  # bytes since the last answer that are of no body: heads, sizes of chunks, trailers
        self._first: RequestResponseCycle | None = None  # what is worked on, where others wait behind it
        self._timer = self.loop.call_later(self.limits.idle_seconds, self._look, None)
        if len(self.connections) > (most := min(self.limits.connections, _room())):
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
        """Take what has come. Bodies are bounded by ``read_body``, all else is here."""
        self._beside += len(data)
        super().data_received(data)
        if (self.pipeline or self._beside > self.limits.head_bytes) and not self.transport.is_closing():
            self._check()

    def _check(self) -> None:
        """Refuse what is too much."""
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

    def _look(self, before: object) -> None:
        """End the connection if its client alone has been waited for since the last look.

        That is for a first head or the next, however slowly its bytes come, or to take an answer.
        """
        cycle = self.cycle
        waits = cycle is None or cycle.response_complete or self.flow.write_paused
        if waits and cycle is before:
            self.transport.abort()
        else:
            now = cycle if waits else self  # which no cycle is
            self._timer = self.loop.call_later(self.limits.idle_seconds, self._look, now)

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


def allow_files() -> None:
    """Have the system allow as many open files as connections need, as far as it does."""
    if sys.platform != "win32":
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = Connection.limits.connections + _OTHER_FILES
        if soft != resource.RLIM_INFINITY and soft < wanted:
            most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


@functools.cache
def _room() -> int:
    """How many connections the system allows."""
    if sys.platform == "win32":
        return Connection.limits.connections
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return Connection.limits.connections if soft == resource.RLIM_INFINITY else max(1, soft - _OTHER_FILES)
