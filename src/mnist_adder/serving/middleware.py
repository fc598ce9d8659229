"""Around every request: let in or refuse, count, log.

Requests as uvicorn hands them over come in, and go on to the application. Written as bare ASGI, because
Starlette's class for middleware would cost as much as an answer does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from mnist_adder.errors import MnistAdderError
from mnist_adder.serving.limits import AdmissionControl, HTTPError, refusal_of
from mnist_adder.serving.logs import LOGGER, log_request

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from mnist_adder.serving.metrics import Metrics

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

Quick: TypeAlias = "Callable[[Request], Awaitable[Response]]"
"""Answers a request by itself."""


class Middleware:
    """What stands around the application.

    Args:
        app: the application.
        load: what is in flight.
        metrics: what is counted.
        quick: what answers POST to these paths, past the application: its way to a route takes longer than
            an answer. The application has the same routes, for its OpenAPI document.
    """

    def __init__(
        self, app: ASGIApp, load: AdmissionControl, metrics: Metrics, quick: Mapping[str, Quick]
    ) -> None:
        self._app, self._load, self._metrics, self._quick = app, load, metrics, quick

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        started = time.perf_counter()
        status, inside = 500, False

        async def watched(message: Message) -> None:
            nonlocal status, inside
            if message["type"] == "http.response.start":
                status = message["status"]
                if inside:  # who takes long to read an answer keeps no other out
                    inside = False
                    self._load.leave(scope)
            await send(message)

        try:
            try:
                asks = scope["method"] not in ("GET", "HEAD")
                self._load.enter(scope, _content_length(scope), always=not asks)
                inside = True
            except HTTPError as refusal:
                return await respond(refusal, scope["path"])(scope, receive, watched)
            self._metrics.in_flight.inc()
            try:
                # What has arrived by now is let in or refused before the first of it is worked on: only so is
                # it seen how much is waiting.
                await asyncio.sleep(0)
                quick = self._quick.get(scope["path"]) if scope["method"] == "POST" else None
                if quick is None:
                    await self._app(scope, receive, watched)
                else:
                    await self._answer(quick, scope, receive, watched)
            finally:
                if inside:
                    self._load.leave(scope)
                self._metrics.in_flight.dec()
        finally:
            self._tell(scope, status, time.perf_counter() - started)
        return None

    async def _answer(self, quick: Quick, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await quick(Request(scope, receive))
        except Exception as error:
            response = respond(error, scope["path"])
        await response(scope, receive, send)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        path, method = scope["path"], scope["method"]
        route = path if path in self._quick else getattr(scope.get("route"), "path", "other")
        method = method if method in _METHODS else "other"
        self._metrics.count_request(method, route, status, seconds)
        log_request({"method": method, "path": path[:200], "status": status, "ms": round(1000 * seconds, 3)})


def _content_length(scope: Scope) -> int | None:
    """As the request's head says, 0 where it has no body, None where its body comes in chunks."""
    length: int | None = 0
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value[-20:]) if value.isdigit() else None  # zeros before that: int() has a limit
        if name == b"transfer-encoding":
            length = None
    return length


def respond(error: Exception, path: str) -> Response:
    """What is answered instead of an answer: one sentence, under the name that the protocol has for it.

    Only what nobody has foreseen is logged, with its traceback.
    """
    if isinstance(error, MnistAdderError):
        error = refusal_of(error)
    elif isinstance(error, HTTPException):
        error = HTTPError(error.status_code, str(error.detail), dict(error.headers or {}))
    elif not isinstance(error, HTTPError):
        LOGGER.error("failed", exc_info=error, extra={"about": {"path": path[:200]}})
        error = HTTPError(500, "Something went wrong here; the log says what.")
    word = "error" if path == "/v2" or path.startswith("/v2/") else "detail"
    return Response(
        orjson.dumps({word: error.detail}),
        status_code=error.status,
        headers=error.headers,
        media_type="application/json",
    )
