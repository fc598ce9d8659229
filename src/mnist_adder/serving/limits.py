"""Bounds on what a request may ask for, and what happens beyond them: a refusal with the proper status.

A request comes in before anything reads it; within bounds it goes on to the application, else a refusal goes
out. Nothing here waits for long: what cannot be done soon is refused with 503 and Retry-After, so that
whoever asks can go elsewhere, instead of a queue that grows until memory ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from starlette.requests import Request
from starlette.types import Message, Receive, Scope

from mnist_adder.errors import (
    MnistAdderError,
    NumberError,
    PictureError,
    PictureSizeError,
    UnknownPictureError,
)

_T = TypeVar("_T")
_HOLDS = "mnist_adder.holds"  # in a request's scope: the bytes that are counted for it


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much one process of the service takes on."""

    body_bytes: int = 10_000_000
    """Of one request: photographs of telephones have 3 to 6 MB."""
    pairs: int = 256
    """Of one request."""
    in_flight: int = 512
    """Requests at a time that have come in and are not yet answered."""
    held_bytes: int = 200_000_000
    """Of all their bodies together."""
    connections: int = 4096
    """At a time, idle ones among them; fewer where the system allows fewer open files."""
    pipelined: int = 32
    """Requests that wait on one connection for the one before them."""
    head_bytes: int = 32_768
    """Of a request line and its headers."""
    idle_seconds: float = 15.0
    """Until a request's head must have come, and an answer been taken; twice that at most."""
    body_seconds: float = 10.0
    """Until a request's body must have come."""
    wait_seconds: float = 2.0
    """Longest wait for a free thread."""
    work_seconds: float = 10.0
    """For opening all pictures of one request."""
    threads: int = 2
    """That open pictures and answer batches, beside the one that does all the rest."""
    retry_after_seconds: int = 1
    """What a refusal for overload asks for."""


class HTTPError(Exception):
    """A request that is not answered, with the HTTP status and one sentence that says why."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers or {}


def refusal_of(error: MnistAdderError) -> HTTPError:
    """What a mistake in a picture or a number is to HTTP."""
    text = str(error)
    detail = text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
    if isinstance(error, PictureSizeError):
        return HTTPError(413, detail)
    if isinstance(error, UnknownPictureError):
        return HTTPError(415, detail)
    return HTTPError(422 if isinstance(error, PictureError | NumberError) else 500, detail)


async def read_body(request: Request, load: AdmissionControl) -> bytes:
    """The whole body of a request that ``load`` has let in.

    While it has not come, the request keeps no other out: it is counted again when it has.

    Raises:
        HTTPError: 413, it is too large; 408, it does not come; 400, the connection ended before it had; 503,
            too much is in flight.
    """
    limits, scope = load.limits, request.scope
    parts, size = [], 0

    def take(message: Message) -> bool:
        """Keep a piece; whether there are more to come."""
        nonlocal size
        if message["type"] == "http.disconnect":
            raise HTTPError(400, "The connection ended before the request had come.")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limits.body_bytes:
            raise too_large(limits)
        load.hold(scope, size)
        return bool(message.get("more_body"))

    load.requests -= 1
    load.hold(scope, 0)
    try:
        come = _come(request.receive)  # nearly always all of it: a clock would take longer than that
        if come is None or take(come):
            async with asyncio.timeout(limits.body_seconds):
                while take(await request.receive()):
                    pass
    except TimeoutError:
        raise HTTPError(408, f"The body did not come within {limits.body_seconds:g} seconds.") from None
    finally:
        load.requests += 1
    if load.requests > limits.in_flight:
        raise overloaded(limits)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _come(receive: Receive) -> Message | None:
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


class AdmissionControl:
    """What is in flight now, in this process."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.requests = 0
        self.held_bytes = 0

    def enter(self, scope: Scope, content_length: int | None, *, always: bool) -> None:
        """Let a request in.

        Args:
            scope: the request; :meth:`leave` is told the same.
            content_length: of its body, None where that is not known.
            always: however much is in flight. So who watches the service sees that it is busy, not dead.

        Raises:
            HTTPError: 413, its body is too large; 503, too much is in flight.
        """
        limits = self.limits
        if content_length is not None and content_length > limits.body_bytes:
            raise too_large(limits)
        holds = limits.body_bytes if content_length is None else content_length
        full = self.requests >= limits.in_flight or self.held_bytes + holds > limits.held_bytes
        if full and not always:
            raise overloaded(limits)
        self.requests += 1
        self.held_bytes += holds
        scope[_HOLDS] = holds

    def hold(self, scope: Scope, size: int) -> None:
        """Count how many bytes of its body are here, instead of what its head has announced.

        Raises:
            HTTPError: 503, it is too much with all others.
        """
        self.held_bytes += size - scope[_HOLDS]
        scope[_HOLDS] = size
        if self.held_bytes > self.limits.held_bytes and size:
            raise overloaded(self.limits)

    def leave(self, scope: Scope) -> None:
        """Let it go."""
        self.requests -= 1
        self.held_bytes -= scope[_HOLDS]


def overloaded(limits: Limits) -> HTTPError:
    """For more requests than can be answered soon."""
    return HTTPError(
        503,
        f"Too much is being asked at once: try again in {limits.retry_after_seconds} s.",
        {"Retry-After": str(limits.retry_after_seconds)},
    )


class Workers:
    """A few threads for work that would keep other requests waiting."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._free = asyncio.Semaphore(limits.threads)
        self._pool = ThreadPoolExecutor(limits.threads, thread_name_prefix="worker")
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
                return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)
            finally:
                self._free.release()
        finally:
            self.busy -= 1

    def close(self) -> None:
        """Wait for what they are at and end them."""
        self._pool.shutdown()
