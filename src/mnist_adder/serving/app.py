"""The application: which request is answered by what.

Models and limits come in, an ASGI application goes out, for ``server`` or any other ASGI server. Requests are
read by ``requests`` and ``v2``, answered by ``answers``.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp

from mnist_adder import __version__
from mnist_adder.errors import MnistAdderError
from mnist_adder.serving import open_inference, openapi, pages
from mnist_adder.serving.answers import (
    Images,
    MicroBatcher,
    Model,
    ask,
    find_model,
    load_models,
    preprocess_request,
)
from mnist_adder.serving.limits import AdmissionControl, HTTPError, Limits, Workers, read_body
from mnist_adder.serving.logs import LOGGER
from mnist_adder.serving.metrics import CONTENT_TYPE, Metrics
from mnist_adder.serving.middleware import Middleware, respond
from mnist_adder.serving.requests import parse
from mnist_adder.serving.samples import load_samples

RUN_VARIABLE = "MNIST_ADDER_SERVE_RUN"
"""Environment variable: the run folder that answers first, for :func:`from_environment`."""


def create_app(run: Path | None = None, limits: Limits | None = None) -> ASGIApp:
    """The service as an ASGI application.

    Args:
        run: a run folder that answers first; None: the weights that come with the package.
        limits: how much it takes on.

    Raises:
        RunError: there is no such run, or it has no model.onnx.
    """
    service = _Service(load_models(run), limits or Limits())

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        LOGGER.info("ready", extra={"about": {"models": list(service.models)}})
        yield
        service.workers.close()
        service.together.close()

    app = FastAPI(
        title="mnist-adder",
        version=__version__,
        description=openapi.ABOUT,
        docs_url=None,  # FastAPI's loads scripts from another host
        redoc_url=None,
        redirect_slashes=False,  # a redirect repeats what the request says
        lifespan=lifespan,
    )
    for kind in (HTTPError, MnistAdderError, HTTPException):
        app.add_exception_handler(kind, _refuse)
    _add_routes(app, service)
    _add_protocol(app, service)
    _add_pages(app)
    return Middleware(app, service.load, service.metrics, {"/predict": service.predict})


def from_environment() -> ASGIApp:
    """The same, with the run that MNIST_ADDER_SERVE_RUN names: for servers that start the processes."""
    named = os.environ.get(RUN_VARIABLE)
    return create_app(Path(named) if named else None)


class _Service:
    """What all requests share."""

    def __init__(self, models: dict[str, Model], limits: Limits) -> None:
        self.models, self.limits = models, limits
        self.load, self.workers, self.metrics = AdmissionControl(limits), Workers(limits), Metrics()
        self.together = MicroBatcher()

    async def predict(self, request: Request) -> Response:
        """Answer /predict."""
        body = await read_body(request, self.load)
        asked = parse(request.headers.get("content-type", ""), body, self.limits)
        model = find_model(self.models, asked.model)
        images = await preprocess_request(asked, self.workers, self.limits)
        if len(asked.pairs) == 1:
            answers, first = await self.together.ask(model, images, asked.pairs[0].number)
        else:
            answers, first = await ask(model, images, [pair.number for pair in asked.pairs], self.workers), 0
        rows = [
            {
                "digit": int(answers.digits[row]),
                "number": pair.number,
                "sum": int(answers.sums[row]),
                "digit_probabilities": answers.digit_probabilities[row],
                "sum_probabilities": answers.sum_probabilities[row],
                "seen": _grey(image) if pair.pixels is None else pair.pixels,
                "model": model.name,
            }
            for row, (pair, image) in enumerate(zip(asked.pairs, images, strict=True), first)
        ]
        self.metrics.count_answers(model.name, (row["digit"] for row in rows))
        return as_json({"answers": rows} if asked.batch else rows[0])

    async def infer(self, name: str, request: Request) -> Response:
        """Answer /v2/models/NAME/infer."""
        model = find_model(self.models, name)
        if (coding := request.headers.get("content-encoding", "identity")) != "identity":
            raise HTTPError(415, f"The body is coded as {coding[:40]!r}; send it as it is.")
        body = await read_body(request, self.load)
        asked, images, numbers = open_inference.read(
            body, request.headers.get(open_inference.HEADER), self.limits
        )
        answers = await ask(model, images, numbers, self.workers)
        content, headers = open_inference.write(model.name, asked, answers)
        self.metrics.count_answers(model.name, answers.digits.tolist())
        return Response(content, headers=headers)


def as_json(content: Any) -> Response:
    """A response of plain values and numpy's."""
    return Response(orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")


def _grey(image: Images) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.rint(image * 255).astype(np.uint8)


async def _refuse(request: Request, error: Exception) -> Response:
    return respond(error, request.url.path)


def _add_routes(app: FastAPI, service: _Service) -> None:
    """What people and their programs call."""

    @app.post(
        "/predict",
        responses={
            200: openapi.PREDICT_ANSWER,
            **openapi.refusals(400, 404, 408, 413, 415, 422, 503),
        },
        openapi_extra={"requestBody": openapi.PREDICT_REQUEST},
    )
    async def predict(request: Request) -> Response:
        """Name the digit in a picture and its sum with a number; or in many, as a list of pairs.

        As a form: curl -F image=@photo.png -F number=7 http://127.0.0.1:8000/predict
        """
        return await service.predict(request)

    models = as_json(
        {
            "models": [model.about() for model in service.models.values()],
            "default": next(iter(service.models)),
        }
    )

    @app.get("/models", responses={200: openapi.MODELS_ANSWER})
    async def list_models() -> Response:
        """List the models that answer."""
        return models

    samples = load_samples()

    @app.get("/samples/random", responses={200: openapi.SAMPLE_ANSWER, **openapi.refusals(404)})
    async def sample() -> Response:
        """Give a handwritten digit to try: one of MNIST's test images, where they are at hand."""
        if samples is None:
            raise HTTPError(404, "There are no samples on this machine.")
        return as_json(samples.choose())

    @app.get("/healthz")
    async def health() -> dict[str, str]:
        """Tell that the service answers."""
        return {"status": "ok"}

    @app.get("/metrics", responses={200: {"content": {"text/plain": {}}, "description": "The counters."}})
    async def metrics() -> Response:
        """Tell requests, times and digits answered, as Prometheus reads them."""
        return Response(service.metrics.text(), headers={"content-type": CONTENT_TYPE})


def _add_protocol(app: FastAPI, service: _Service) -> None:
    """The Open Inference Protocol."""
    missing = openapi.refusals(404, word="error")

    @app.get("/v2")
    async def server() -> dict[str, Any]:
        """Describe the server."""
        return {"name": "mnist-adder", "version": __version__, "extensions": open_inference.EXTENSIONS}

    @app.get("/v2/health/live")
    async def live() -> dict[str, bool]:
        """Tell that the server runs."""
        return {"live": True}

    @app.get("/v2/health/ready")
    async def ready() -> dict[str, bool]:
        """Tell that all models answer."""
        return {"ready": True}

    def find(name: str, version: str) -> str:
        if version != open_inference.VERSION:
            raise HTTPError(
                404, f"{name[:60]!r} has no version {version[:20]!r}; it has {open_inference.VERSION}."
            )
        return find_model(service.models, name).name

    @app.get("/v2/models/{name}", responses=missing)
    @app.get("/v2/models/{name}/versions/{version}", responses=missing)
    async def describe(name: str, version: str = open_inference.VERSION) -> dict[str, Any]:
        """Describe a model's inputs and outputs."""
        return open_inference.metadata(find(name, version))

    @app.get("/v2/models/{name}/ready", responses=missing)
    @app.get("/v2/models/{name}/versions/{version}/ready", responses=missing)
    async def model_ready(name: str, version: str = open_inference.VERSION) -> dict[str, Any]:
        """Tell that a model answers."""
        return {"name": find(name, version), "ready": True}

    answers = {
        200: openapi.INFER_ANSWER,
        **openapi.refusals(400, 404, 408, 413, 415, 422, 503, word="error"),
    }
    extra = {"requestBody": openapi.INFER_REQUEST}

    @app.post("/v2/models/{name}/infer", responses=answers, openapi_extra=extra)
    @app.post("/v2/models/{name}/versions/{version}/infer", responses=answers, openapi_extra=extra)
    async def infer(request: Request, name: str, version: str = open_inference.VERSION) -> Response:
        """Answer N pairs of an image, float in [0, 1], and a number."""
        return await service.infer(find(name, version), request)


def _add_pages(app: FastAPI) -> None:
    """What a browser shows."""
    page = pages.load_page()
    documentation = pages.documentation(app.openapi())

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return documentation

    @app.get("/docs/style.css", include_in_schema=False)
    async def style() -> Response:
        return pages.STYLE

    @app.get("/", include_in_schema=False)
    async def index() -> Response:
        return page.get("index.html", documentation)

    @app.get("/page/{name}", include_in_schema=False)
    async def file(name: str) -> Response:
        if name not in page:
            raise HTTPError(404, "There is no such file.")
        return page[name]
