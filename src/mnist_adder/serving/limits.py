"""How much the service takes on, and the refusals beyond.

No queue grows: what cannot be done soon is refused with 503 and Retry-After, so that whoever asks can go
elsewhere, instead of waiting in memory until there is none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from starlette.requests import Request
from starlette.types import Message, Receive, Scope

from mnist_adder.serving.errors import HTTPError

_T = TypeVar("_T")
_HELD = "mnist_adder.held_bytes"  # in a request's scope: the bytes that are counted for it


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much one process of the service takes on; each limit says what it is there against."""

    body_bytes: int = 10_000_000
    """Of one request; photographs of telephones have 3 to 6 MB. Against a body that fills the memory."""
    pairs: int = 256
    """Of one request. Against a small request that is much work."""
    in_flight: int = 512
    """Requests at a time. Against a queue in which all wait until nobody wants the answers any more."""
    held_bytes: int = 200_000_000
    """Of all bodies together. Against many large bodies that fill the memory at once."""
    connections: int = 4096
    """At a time, idle ones among them; fewer where the system allows fewer open files. Against clients that
    take all files of the process, after which it could accept no other."""
    pipelined: int = 32
    """Requests that wait on one connection for the one before them. Against short requests, sent without
    end by a client that reads nothing: each is kept as objects of Python, many times its size."""
    head_bytes: int = 32_768
    """Of a request line and its headers. Against a head without end, which uvicorn would keep in memory."""
    idle_seconds: float = 15.0
    """Until a request's head must have come, and an answer been taken; twice that at most. Against clients
    that send a byte a minute, or read none, on as many connections as there are (Slowloris)."""
    body_seconds: float = 10.0
    """Until a request's body must have come. Against the same with bodies."""
    wait_seconds: float = 2.0
    """Longest wait for a free thread. Against a queue before the threads."""
    work_seconds: float = 10.0
    """For opening all pictures of one request. Against one request that keeps a thread for minutes."""
    threads: int = 2
    """That open pictures and answer batches, beside the one that does all the rest."""
    retry_after_seconds: int = 1
    """What a refusal for overload asks for."""


class AdmissionControl:
    """Counts what is in flight in this process, and refuses what would be too much."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._requests = 0
        self._held_bytes = 0

    def admit(self, scope: Scope, content_length: int | None, *, always: bool) -> None:
        """Let a request in, which :meth:`release` counts out.

        Args:
            scope: the request's.
            content_length: of its body, None where that is not known.
            always: however much is in flight, so that who watches the service sees it busy, not dead.

        Raises:
            HTTPError: 413, its body is too large; 503, too much is in flight.
        """
        limits = self.limits
        held = limits.body_bytes if content_length is None else content_length
        if held > limits.body_bytes:
            raise too_large(limits)
        full = self._requests >= limits.in_flight or self._held_bytes + held > limits.held_bytes
        if full and not always:
            raise overloaded(limits)
        self._requests += 1
        self._held_bytes += held
        scope[_HELD] = held

    def release(self, scope: Scope) -> None:
        """Count a request out, unless it is already."""
        if (held := scope.pop(_HELD, None)) is not None:
            self._requests -= 1
            self._held_bytes -= held

    async def read_body(self, request: Request) -> bytes:
        """The whole body of a request that was admitted.

        While it has not come, the request keeps no other out: it is counted again when it has.

        Raises:
            HTTPError: 413, it is too large; 408, it does not come; 400, the connection ended before it had;
                503, too much is in flight.
        """
        limits, scope = self.limits, request.scope
        parts: list[bytes] = []
        size = 0

        def take(message: Message) -> bool:
            """Keep a piece; whether there are more to come."""
            nonlocal size
            if message["type"] == "http.disconnect":
                raise HTTPError(400, "The connection ended before the request had come.")
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > limits.body_bytes:
                raise too_large(limits)
            self._hold(scope, size)
            return bool(message.get("more_body"))

        self._requests -= 1
        self._hold(scope, 0)
        try:
            message = _receive_nowait(request.receive)  # nearly always all of it: a timeout would cost more
            if message is None or take(message):
                async with asyncio.timeout(limits.body_seconds):
                    while take(await request.receive()):
                        pass
        except TimeoutError:
            raise HTTPError(408, f"The body did not come within {limits.body_seconds:g} seconds.") from None
        finally:
            self._requests += 1
        if self._requests > limits.in_flight:
            raise overloaded(limits)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _hold(self, scope: Scope, size: int) -> None:
        """Count the bytes of a body that are here, instead of those that its head has announced."""
        self._held_bytes += size - scope[_HELD]
        scope[_HELD] = size
        if self._held_bytes > self.limits.held_bytes and size:
            raise overloaded(self.limits)


def _receive_nowait(receive: Receive) -> Message | None:
    """The next message if it has come already, without waiting."""
    waiting = receive().__await__()
    try:
        next(waiting)
    except StopIteration as done:
        return cast("Message", done.value)
    waiting.close()
    return None


def too_large(limits: Limits) -> HTTPError:
    """For a body with too many bytes."""
    return HTTPError(413, f"The body has more than {limits.body_bytes:,} bytes, the most allowed.")


def overloaded(limits: Limits) -> HTTPError:
    """For more than can be answered soon."""
    seconds = limits.retry_after_seconds
    return HTTPError(
        503, f"Too much is being asked at once: try again in {seconds} s.", {"Retry-After": str(seconds)}
    )


class WorkerPool:
    """A few threads for work that would keep other requests waiting."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._free = asyncio.Semaphore(limits.threads)
        self._executor = ThreadPoolExecutor(limits.threads, thread_name_prefix="worker")
        self.busy = 0
        """How many calls of :meth:`run` have not returned."""

    async def run(self, work: Callable[..., _T], *arguments: Any) -> _T:
        """Call ``work`` in one of the threads, once one is free.

        Raises:
            HTTPError: 503, none became free in time.
        """
        self.busy += 1
        try:
            try:
                async with asyncio.timeout(self._limits.wait_seconds):
                    await self._free.acquire()
            except TimeoutError:
                raise overloaded(self._limits) from None
            try:
                return await asyncio.get_running_loop().run_in_executor(self._executor, work, *arguments)
            finally:
                self._free.release()
        finally:
            self.busy -= 1

    def close(self) -> None:
        """Shut the threads down after running tasks finish."""
        self._executor.shutdown()
