"""Pairs -> answers: the models that are loaded, and how a request's pictures get to one of them.

What ``requests`` read comes in, arrays go out, for ``app`` to write as JSON. Small work is done on the spot,
for handing it to a thread would take longer; the rest goes to the threads, while others are answered.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_adder.errors import PictureError
from mnist_adder.inference import Predictions, Predictor, preprocess
from mnist_adder.pretrained import DEFAULT, names, pretrained_folder
from mnist_adder.serving.limits import Limits, Refusal, Workers
from mnist_adder.serving.requests import Asked, Pair
from mnist_adder.task import SIDE

AT_ONCE = 16
"""Pairs that are answered on the spot: a millisecond or so."""
_SMALL_BYTES, _SMALL_SIDE = 4096, 64  # pictures that are opened on the spot

Images = NDArray[np.float32]  # (N, 28, 28) in [0, 1]


@dataclass(frozen=True, kw_only=True)
class Model:
    """A run that answers, and what its file says about it."""

    name: str
    predictor: Predictor
    design: str
    dataset: str
    parameters: int | None
    joint_accuracy: float | None

    @classmethod
    def load(cls, name: str, folder: Path) -> Model:
        """Open the model.onnx of a run folder.

        Raises:
            RunError: there is no such run, or it has no such file.
        """
        predictor = Predictor(folder)
        about = predictor.metadata
        try:
            results = json.loads(about["results"])
        except (KeyError, ValueError):  # a file that says nothing about itself answers all the same
            results = {}
        return cls(
            name=name,
            predictor=predictor,
            design=about.get("design", "unknown"),
            dataset=about.get("dataset", "unknown"),
            parameters=results.get("parameters"),
            joint_accuracy=results.get("joint_accuracy"),
        )

    def about(self) -> dict[str, Any]:
        """What /models says."""
        shown = ("name", "design", "parameters", "joint_accuracy", "dataset")
        return {name: getattr(self, name) for name in shown}


def load_models(run: Path | None) -> dict[str, Model]:
    """All models by name, the one that answers by default first: the run, and what comes with the package.

    Raises:
        RunError: there is no such run.
    """
    folders = {} if run is None else {run.resolve().name: run}
    for name in (DEFAULT, *names()):
        folders.setdefault(name, pretrained_folder(name))
    return {name: Model.load(name, folder) for name, folder in folders.items()}


def find_model(models: dict[str, Model], name: str | None) -> Model:
    """The model of this name, or the first.

    Raises:
        Refusal: 404, there is none.
    """
    if name is None:
        return next(iter(models.values()))
    if name not in models:
        raise Refusal(404, f"There is no model {name[:60]!r}; there are: {', '.join(models)}.")
    return models[name]


async def see(asked: Asked, workers: Workers, limits: Limits) -> Images:
    """The images of a request as the network sees them, (N, 28, 28).

    Raises:
        PictureError: a picture is none of a digit.
        Refusal: 503, all threads are busy; 413, the pictures take too long.
    """
    pairs = asked.pairs
    if len(pairs) == 1 and (pixels := pairs[0].pixels) is not None:
        return _scaled(pixels)
    if len(pairs) <= AT_ONCE and not workers.busy and all(map(_is_quick, pairs)):
        return _see(asked, limits.work_seconds)  # none holds the lock under which pictures are opened
    return await workers.run(_see, asked, limits.work_seconds)


async def ask(
    model: Model, images: Images, numbers: Sequence[int] | NDArray[np.int64], workers: Workers
) -> Predictions:
    """The model's answers to N images and numbers.

    Raises:
        Refusal: 503, all threads are busy.
    """
    array = np.array(numbers, dtype=np.int64)
    if len(images) <= AT_ONCE:
        return model.predictor.predict_images(images, array)
    return await workers.run(model.predictor.predict_images, images, array)


class Together:
    """Asks a model once about all that was asked in the same turn of the event loop.

    Nothing waits for more to come: a request alone is answered at once, and many together take less time than
    they would one after the other.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, list[tuple[Images, int, asyncio.Future[Predictions]]]] = {}

    async def ask(self, model: Model, image: Images, number: int) -> Predictions:
        """The model's answer to one image (1, 28, 28) in [0, 1] and a number."""
        loop = asyncio.get_running_loop()
        waiting = self._waiting.setdefault(model.name, [])
        if not waiting:
            loop.call_soon(self._answer, model)
        future: asyncio.Future[Predictions] = loop.create_future()
        waiting.append((image, number, future))
        return await future

    def _answer(self, model: Model) -> None:
        images, numbers, futures = zip(*self._waiting.pop(model.name), strict=True)
        try:
            answers = model.predictor.predict_images(np.concatenate(images), np.array(numbers))
        except Exception as error:
            for future in futures:
                if not future.done():
                    future.set_exception(error)
            return
        for row, future in enumerate(futures):
            if not future.done():  # else whoever asked has gone
                future.set_result(_one(answers, slice(row, row + 1)))


def _one(answers: Predictions, row: slice) -> Predictions:
    return Predictions(
        digits=answers.digits[row],
        numbers=answers.numbers[row],
        sums=answers.sums[row],
        digit_probabilities=answers.digit_probabilities[row],
        sum_probabilities=answers.sum_probabilities[row],
    )


def _see(asked: Asked, seconds: float) -> Images:
    until = time.monotonic() + seconds
    images = []
    for place, pair in enumerate(asked.pairs):
        if time.monotonic() > until:
            raise Refusal(413, f"The pictures take more than {seconds:g} s to open: send fewer at a time.")
        try:
            images.append(_image(pair))
        except PictureError as error:
            raise type(error)(f"pairs[{place}]: {error}" if asked.batch else str(error)) from None
    return np.concatenate(images)


def _image(pair: Pair) -> Images:
    if pair.pixels is not None:
        return _scaled(pair.pixels)
    assert pair.picture is not None
    return preprocess(pair.picture)[None]


def _scaled(pixels: bytes) -> Images:
    grey = np.frombuffer(pixels, np.uint8).reshape(1, SIDE, SIDE)
    return grey.astype(np.float32) / np.float32(255)


def _is_quick(pair: Pair) -> bool:
    """Whether seeing takes about a millisecond: pixels do, and small PNG files, whose header tells."""
    if (picture := pair.picture) is None:
        return True
    width, height = picture[16:20], picture[20:24]
    return (
        len(picture) <= _SMALL_BYTES
        and picture.startswith(b"\x89PNG\r\n\x1a\n")
        and picture[12:16] == b"IHDR"
        and max(int.from_bytes(width, "big"), int.from_bytes(height, "big")) <= _SMALL_SIDE
    )
