"""The application: the table of routes, and what answers at each."""

from __future__ import annotations

import functools
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from mnist_adder import __version__
from mnist_adder.serving import open_inference, pages
from mnist_adder.serving.errors import HTTPError
from mnist_adder.serving.limits import AdmissionControl, Limits, WorkerPool
from mnist_adder.serving.logs import LOGGER
from mnist_adder.serving.metrics import Metrics
from mnist_adder.serving.middleware import Middleware
from mnist_adder.serving.models import (
    Model,
    answer,
    find_model,
    find_several,
    load_models,
    predict,
    preprocess_request,
)
from mnist_adder.serving.requests import parse
from mnist_adder.serving.samples import load_samples


def create_app(
    run: Path | None = None,
    limits: Limits | None = None,
    *,
    root_path: str = "",
    allow_origins: Collection[str] = (),
) -> ASGIApp:
    """The service as an ASGI application.

    Args:
        run: a run folder that answers first; None: the weights that come with the package.
        limits: how much it takes on.
        root_path: where the service is behind a proxy, such as ``/digits``, whether or not the proxy removes
            it from the paths that it passes on; empty for nowhere else.
        allow_origins: whose pages may call the service from a browser (CORS); ``"*"`` is everybody's.

    Raises:
        RunError: there is no such run, or it has no model.onnx.
        AddressError: the root path is no path, or one of the service's own.
    """
    root_path = pages.check_root_path(root_path)
    service = Service(load_models(run), pages.load_page(root_path), limits or Limits())

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        LOGGER.info("ready", extra={"fields": {"models": list(service.models)}})
        yield
        service.close()

    # Without redirects to paths with another slash at the end: they repeat what a request says.
    router = Router(routes(service, root_path), redirect_slashes=False, lifespan=lifespan)
    app: ASGIApp = Middleware(router, service.admission, service.metrics, root_path)
    if allow_origins:
        app = CORSMiddleware(
            app,
            allow_origins=allow_origins,
            allow_methods=("GET", "POST"),
            allow_headers=(open_inference.HEADER,),
            expose_headers=("Retry-After", open_inference.HEADER),
        )
    return app


def routes(service: Service, root_path: str = "") -> list[Route]:
    """All that is answered; /predict first, so that it is found first. HEAD goes wherever GET does."""
    server = {"name": "mnist-adder", "version": __version__, "extensions": open_inference.EXTENSIONS}
    models = {
        "models": [model.summary for model in service.models.values()],
        "default": next(iter(service.models)),
    }
    get, post = (functools.partial(Route, methods=[method]) for method in ("GET", "POST"))
    named, versioned = "/v2/models/{name}", "/v2/models/{name}/versions/{version}"
    return [
        post("/predict", Endpoint(service.predict)),
        post(f"{named}/infer", Endpoint(service.infer)),
        post(f"{versioned}/infer", Endpoint(service.infer)),
        get("/models", as_json(models)),
        get("/samples/random", Endpoint(service.random_sample)),
        get("/healthz", as_json({"status": "ok"})),
        get("/metrics", Endpoint(service.metrics_text)),
        get("/v2", as_json(server)),
        get("/v2/health/live", as_json({"live": True})),
        get("/v2/health/ready", as_json({"ready": True})),
        get(named, Endpoint(service.model_metadata)),
        get(versioned, Endpoint(service.model_metadata)),
        get(f"{named}/ready", Endpoint(service.model_ready)),
        get(f"{versioned}/ready", Endpoint(service.model_ready)),
        get("/", service.page["index.html"]),
        get("/docs", service.page["docs.html"]),
        get("/openapi.json", pages.load_openapi(root_path)),
        get("/page/{name}", Endpoint(service.page_file)),
    ]


class Service:
    """What all requests share, and the endpoints that need it."""

    def __init__(self, models: dict[str, Model], page: dict[str, Response], limits: Limits) -> None:
        self.models, self.page, self.limits = models, page, limits
        self.admission, self.metrics = AdmissionControl(limits), Metrics()
        self._pool = WorkerPool(limits)
        self._samples = load_samples()

    def close(self) -> None:
        """Shut all threads down after running tasks finish."""
        self._pool.close()
        for model in self.models.values():
            model.batcher.close()

    async def predict(self, request: Request) -> Response:
        """The digit in a picture and its sum with a number; or in many, as a list of pairs."""
        body = await self.admission.read_body(request)
        predict_request = parse(request.headers.get("content-type", ""), body, self.limits)
        pairs = predict_request.pairs
        model = find_model(self.models, predict_request.model)
        images, halves = await preprocess_request(predict_request, self._pool, self.limits)
        if len(pairs) == 1:
            predictions, first = await model.batcher.predict(images, pairs[0].number)
        else:
            predictions = await predict(model, images, [pair.number for pair in pairs], self._pool)
            first = 0
        several = await find_several(model, halves, self._pool) if halves else ()
        answers = [
            answer(predictions, first + place, pair, image, model.name, several=place in several)
            for place, (pair, image) in enumerate(zip(pairs, images, strict=True))
        ]
        self.metrics.count_answers(model.name, (each["digit"] for each in answers))
        return as_json({"answers": answers} if predict_request.batch else answers[0])

    async def infer(self, request: Request) -> Response:
        """N pairs by the Open Inference Protocol."""
        model = self._named_model(request)
        if (coding := request.headers.get("content-encoding", "identity")) != "identity":
            raise HTTPError(415, f"The body is coded as {coding[:40]!r}; send it as it is.")
        body = await self.admission.read_body(request)
        header_length = request.headers.get(open_inference.HEADER)
        infer_request, images, numbers = open_inference.read(body, header_length, self.limits)
        predictions = await predict(model, images, numbers, self._pool)
        content, headers = open_inference.write(model, infer_request, predictions)
        self.metrics.count_answers(model.name, predictions.digits)
        return Response(content, headers=headers)

    async def model_metadata(self, request: Request) -> Response:
        """A model's inputs and outputs."""
        return as_json(open_inference.metadata(self._named_model(request)))

    async def model_ready(self, request: Request) -> Response:
        """That a model answers."""
        return as_json({"name": self._named_model(request).name, "ready": True})

    async def random_sample(self, _: Request) -> Response:
        """A handwritten digit to try."""
        if self._samples is None:
            raise HTTPError(404, "There are no samples on this machine.")
        images, digits, source = self._samples
        row = random.randrange(len(digits))
        return as_json({"pixels": images[row], "digit": digits[row], "source": source})

    async def page_file(self, request: Request) -> Response:
        """A file of the page."""
        if (file := self.page.get(request.path_params["name"])) is None:
            raise HTTPError(404, "There is no such file.")
        return file

    async def metrics_text(self, _: Request) -> Response:
        """What was counted, for Prometheus."""
        return Response(self.metrics.text(), headers={"content-type": CONTENT_TYPE_LATEST})

    def _named_model(self, request: Request) -> Model:
        """The model of a path below /v2/models."""
        name, version = request.path_params["name"], request.path_params.get("version")
        if version not in (None, open_inference.VERSION):
            raise HTTPError(
                404, f"{name[:60]!r} has no version {version[:20]!r}; it has {open_inference.VERSION}."
            )
        return find_model(self.models, name)


class Endpoint:
    """A function from a request to its response as an ASGI application.

    Starlette would make it one too, with two layers around it for handlers of exceptions, which
    ``Middleware`` is; they take 4 us of the 190 that an answer takes.
    """

    def __init__(self, respond: Callable[[Request], Awaitable[Response]]) -> None:
        self._respond = respond

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        response = await self._respond(Request(scope, receive))
        await response(scope, receive, send)


def as_json(content: Any) -> Response:
    """A response of plain values and numpy's."""
    return Response(orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")
