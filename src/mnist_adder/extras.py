"""Which extra of the package brings which library, so that a missing one can be named to the user.

The base install predicts; training, serving and the worksheet need libraries that come as extras:
``pip install 'mnist-adder[train]'``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from mnist_adder.errors import MissingExtraError

EXTRA_OF = {
    "filelock": "train",
    "jinja2": "train",
    "lightning": "train",
    "matplotlib": "train",
    "onnx": "train",
    "pooch": "train",
    "pydantic": "train",
    "requests": "train",
    "safetensors": "train",
    "tensorboard": "train",
    "torch": "train",
    "orjson": "serve",
    "prometheus_client": "serve",
    "starlette": "serve",
    "uvicorn": "serve",
    "xlsxwriter": "worksheet",
}
"""The extra to install where a library cannot be imported. Some bring torch and matplotlib as well."""


@contextlib.contextmanager
def naming_the_extra() -> Iterator[None]:
    """Turn the failed import of an extra's library into an error that says what to install; also a decorator.

    Raises:
        MissingExtraError: a library of an extra is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library not in EXTRA_OF:
            raise
        raise MissingExtraError(
            f"This needs {library}, which is not installed. "
            f"Run: pip install 'mnist-adder[{EXTRA_OF[library]}]'"
        ) from error
