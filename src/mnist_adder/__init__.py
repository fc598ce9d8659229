"""A picture of a handwritten digit and a number go in; the digit and the sum come out.

::

    from mnist_adder import MNISTAdder, models, load_run, predict

Names are imported on first use, so that importing the package costs nothing. ``predict`` and ``Predictor``
need the base install alone; for the others, install ``mnist-adder[train]``.

Importing has one effect: ONNX Runtime from 1.29 reports its use to its maker unless it is told not to.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mnist_adder import models
    from mnist_adder.data.dataset import MNISTAdder
    from mnist_adder.inference import Predictor, predict
    from mnist_adder.pretrained import load_pretrained
    from mnist_adder.reports.page import report
    from mnist_adder.runs import load_run
    from mnist_adder.training.config import TrainConfig
    from mnist_adder.training.train import train

__version__ = "0.1.0"

__all__ = [
    "MNISTAdder",
    "Predictor",
    "TrainConfig",
    "load_pretrained",
    "load_run",
    "models",
    "predict",
    "report",
    "train",
]

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_HOMES = {
    "MNISTAdder": "data.dataset",
    "Predictor": "inference",
    "TrainConfig": "training.config",
    "load_pretrained": "pretrained",
    "load_run": "runs",
    "predict": "inference",
    "report": "reports.page",
    "train": "training.train",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from mnist_adder.extras import naming_the_extra

    with naming_the_extra():
        if name == "models":
            return importlib.import_module("mnist_adder.models")
        return getattr(importlib.import_module(f"mnist_adder.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
