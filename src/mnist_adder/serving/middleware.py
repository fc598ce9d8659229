"""Around every request: admitted or refused, its errors answered, counted, logged."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from starlette.routing import Route, Router

from mnist_adder.serving.errors import error_response
from mnist_adder.serving.limits import AdmissionControl
from mnist_adder.serving.logs import log_request

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

    from mnist_adder.serving.metrics import Metrics

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Middleware:
    """One layer of ASGI around the router, instead of three of Starlette's.

    ``starlette.applications.Starlette`` would put two around it for exceptions alone, which take 5 us of the
    190 that an answer takes.

    Args:
        router: what answers.
        admission: what is in flight.
        metrics: what is counted.
        root_path: where the service is behind a proxy, such as ``/digits``; empty for nowhere else. Paths
            that begin with it are taken as if they did not.
    """

    def __init__(
        self, router: Router, admission: AdmissionControl, metrics: Metrics, root_path: str = ""
    ) -> None:
        self._router, self._admission, self._metrics = router, admission, metrics
        self._root_path = root_path
        self._paths = {route.path for route in router.routes if isinstance(route, Route)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return await self._router(scope, receive, send)
        started = time.perf_counter()
        if self._root_path and f"{scope['path']}/".startswith(f"{self._root_path}/"):
            scope["path"] = scope["path"].removeprefix(self._root_path) or "/"
        scope["app"] = self  # so that the router raises "Not Found" and its like, to be answered here
        status, admitted = 0, False

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._admission.release(scope)  # who takes long to read an answer keeps no other out
            await send(message)

        try:
            watches = scope["method"] in ("GET", "HEAD")
            self._admission.admit(scope, _content_length(scope), always=watches)
            admitted = True
            self._metrics.in_flight.inc()
            # What has arrived by now is admitted or refused before the first of it is worked on: only so is
            # it seen how much is waiting.
            await asyncio.sleep(0)
            await self._router(scope, receive, watched)
        except Exception as error:
            if status:  # too late to say anything else
                raise
            await error_response(error, scope["path"])(scope, receive, watched)
        finally:
            self._admission.release(scope)
            if admitted:
                self._metrics.in_flight.dec()
            self._record(scope, status or 500, time.perf_counter() - started)
        return None

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        path, method = scope["path"], scope["method"]
        unrouted = path if path in self._paths else "other"  # as what is refused at once
        route = scope["route"].path if "route" in scope else unrouted
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
