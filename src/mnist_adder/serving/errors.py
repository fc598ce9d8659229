"""What is answered instead of an answer: a status of HTTP and one sentence that says why."""

from __future__ import annotations

import orjson
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mnist_adder.errors import (
    MnistAdderError,
    NumberError,
    PictureError,
    PictureSizeError,
    UnknownPictureError,
)
from mnist_adder.serving.logs import LOGGER


class HTTPError(HTTPException):
    """A request that is refused: its ``status_code``, one sentence as ``detail``, and ``headers``."""


def to_http_error(error: Exception, path: str = "") -> HTTPException:
    """The HTTP error that an exception is. One that nobody has foreseen is logged, with its traceback."""
    if isinstance(error, HTTPException):
        return error
    if not isinstance(error, MnistAdderError):
        LOGGER.error("failed", exc_info=error, extra={"fields": {"path": path[:200]}})
        return HTTPError(500, "Something went wrong here; the log says what.")
    if isinstance(error, PictureSizeError):
        status = 413
    elif isinstance(error, UnknownPictureError):
        status = 415
    else:
        status = 422 if isinstance(error, PictureError | NumberError) else 500
    text = str(error)
    return HTTPError(status, text[:1].upper() + text[1:] + ("" if text.endswith(".") else "."))


def error_response(error: Exception, path: str) -> Response:
    """The response to a request that ended in an exception.

    Its sentence is called ``detail``, and ``error`` where the Open Inference Protocol is spoken.
    """
    error = to_http_error(error, path)
    name = "error" if path == "/v2" or path.startswith("/v2/") else "detail"
    return Response(
        orjson.dumps({name: error.detail}),
        status_code=error.status_code,
        headers=error.headers,
        media_type="application/json",
    )
