"""The models that are loaded, and how a request's pictures get to one of them.

Small work is done on the event loop, for handing it to a thread would take longer; the rest goes to threads,
while others are answered.
"""

from __future__ import annotations

import asyncio
import json
import queue
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mnist_adder.errors import PictureError
from mnist_adder.inference import Predictions, Predictor
from mnist_adder.inference.preprocess import FoundDigit, find_digit
from mnist_adder.pretrained import DEFAULT, names, pretrained_folder
from mnist_adder.serving.errors import HTTPError
from mnist_adder.serving.limits import Limits, WorkerPool
from mnist_adder.serving.requests import Pair, PredictRequest
from mnist_adder.types import DIGITS, SUMS

SMALL_BATCH = 16
"""Pairs that are answered on the event loop: a millisecond or so."""
_SMALL_BYTES, _SMALL_SIDE = 4096, 64  # pictures that are opened on the event loop
_MIN_BATCH = 8  # images that are no more work one by one than in a larger batch

Images: TypeAlias = NDArray[np.float32]
"""(N, 28, 28) in [0, 1], ink bright."""


class Output(NamedTuple):
    """One of the figures that are answered for each pair."""

    attribute: str  # of Predictions, an array of N
    datatype: str  # as the Open Inference Protocol calls it
    shape: list[int]  # of the array, -1 for N


OUTPUTS = {
    "digit": Output("digits", "INT64", [-1]),
    "sum": Output("sums", "INT64", [-1]),
    "digit_probabilities": Output("digit_probabilities", "FP32", [-1, DIGITS]),
    "sum_probabilities": Output("sum_probabilities", "FP32", [-1, SUMS]),
}
"""What is answered for N pairs, by its name in the Open Inference Protocol."""
TELLING_OUTPUTS = {**OUTPUTS, "is_digit_probability": Output("is_digit_probability", "FP32", [-1])}
"""The same for a model that was taught to tell digits from other characters."""


def answer(
    predictions: Predictions, row: int, pair: Pair, image: Images, model: str, *, several: bool
) -> dict[str, Any]:
    """What /predict answers for a pair, whose image (28, 28) was answered in a row of predictions."""
    pixels, probability = pair.content, predictions.is_digit_probability
    return {
        "digit": predictions.digits[row].item(),
        "number": pair.number,
        "sum": predictions.sums[row].item(),
        "digit_probabilities": predictions.digit_probabilities[row],
        "sum_probabilities": predictions.sum_probabilities[row],
        "is_digit": predictions.is_digit[row].item() and not several,
        "is_digit_probability": None if probability is None else probability[row],
        "several": several,
        "seen": np.rint(image * 255).astype(np.uint8) if isinstance(pixels, bytes) else pixels,
        "model": model,
    }


class Model:
    """A run that answers.

    Args:
        name: what requests call it.
        folder: of the run.

    Raises:
        RunError: there is no such run, or it has no model.onnx.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.predictor = name, Predictor(folder)
        self.outputs = OUTPUTS if self.predictor.is_digit_threshold is None else TELLING_OUTPUTS
        self.batcher = MicroBatcher(self.predictor)
        metadata = self.predictor.metadata
        try:
            results = dict(json.loads(metadata["results"]))
        except (KeyError, ValueError, TypeError, RecursionError):
            results = {}  # a file that says nothing about itself answers all the same
        self.summary = {
            "name": name,
            "model": metadata.get("model", "unknown"),
            "parameters": results.get("parameters"),
            "joint_accuracy": results.get("joint_accuracy"),
            "dataset": metadata.get("dataset", "unknown"),
        }
        """What /models says."""


def load_models(run: Path | None) -> dict[str, Model]:
    """All models by name, the one that answers by default first: the run, and what comes with the package.

    Raises:
        RunError: there is no such run, or it has no model.onnx.
    """
    folders = {} if run is None else {run.resolve().name: run}
    for name in (DEFAULT, *names()):
        folders.setdefault(name, pretrained_folder(name))
    return {name: Model(name, folder) for name, folder in folders.items()}


def find_model(models: dict[str, Model], name: str | None) -> Model:
    """The model of this name, or the first.

    Raises:
        HTTPError: 404, there is none.
    """
    if name is None:
        return next(iter(models.values()))
    if name not in models:
        raise HTTPError(404, f"There is no model {name[:60]!r}; there are: {', '.join(models)}.")
    return models[name]


class Preprocessed(NamedTuple):
    """What the network is asked for a request."""

    images: Images
    halves: dict[int, FoundDigit]  # by its place, each picture that seems to show several digits


async def preprocess_request(request: PredictRequest, pool: WorkerPool, limits: Limits) -> Preprocessed:
    """The images of a request as the network sees them.

    Raises:
        PictureError: a picture is none of a digit.
        HTTPError: 503, all threads are busy; 413, the pictures take too long.
    """
    pairs = request.pairs
    if len(pairs) == 1 and isinstance(pairs[0].content, np.ndarray):
        return Preprocessed(_scale(pairs[0].content), {})
    if len(pairs) <= SMALL_BATCH and not pool.busy and all(map(_is_quick, pairs)):
        return _preprocess(request, limits.work_seconds)  # no thread holds the lock of opening pictures
    return await pool.run(_preprocess, request, limits.work_seconds)


async def predict(
    model: Model, images: Images, numbers: Sequence[int] | NDArray[np.int64], pool: WorkerPool
) -> Predictions:
    """The model's answers to N images and numbers.

    Raises:
        HTTPError: 503, all threads are busy.
    """
    array = np.array(numbers, dtype=np.int64)
    if len(images) <= SMALL_BATCH:
        return model.predictor.predict_images(images, array)
    return await pool.run(model.predictor.predict_images, images, array)


async def find_several(model: Model, halves: Mapping[int, FoundDigit], pool: WorkerPool) -> Collection[int]:
    """The places of the pictures that show several digits, of those that seem to.

    Raises:
        HTTPError: 503, all threads are busy.
    """

    def find() -> list[int]:
        return [place for place, found in halves.items() if model.predictor.shows_several(found)]

    return find() if len(halves) <= SMALL_BATCH // 4 else await pool.run(find)


class _Waiting(NamedTuple):
    """One pair, and who waits for its answer."""

    image: Images  # (1, 28, 28)
    number: int
    future: asyncio.Future[tuple[Predictions, int]]


class MicroBatcher:
    """Answers in one call of the model what has come in, pair by pair, while it was busy.

    Nothing waits for more to come: a pair alone is answered on the event loop, as handing it to a thread
    would take longer. Several go to a thread, since onnxruntime runs beside Python. Only half of those that
    wait go at once: else the thread would be idle while their answers are written and the next requests read.
    The thread does nothing but call the model, since for anything else it would have to wait for the GIL.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._waiting: list[_Waiting] = []
        self._busy = False
        self._queue: queue.SimpleQueue[tuple[asyncio.AbstractEventLoop, list[_Waiting], Any] | None]
        self._queue = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)
        self._thread.start()

    async def predict(self, image: Images, number: int) -> tuple[Predictions, int]:
        """The answers that one image (1, 28, 28) in [0, 1] and a number were answered with, and its row."""
        loop = asyncio.get_running_loop()
        waiting = _Waiting(image, number, loop.create_future())
        self._waiting.append(waiting)
        if not self._busy:
            self._busy = True
            loop.call_soon(self._start)  # others may have come in the same turn of the loop
        return await waiting.future

    def close(self) -> None:
        """End the thread after its running batch finishes."""
        self._queue.put(None)
        self._thread.join()

    def _start(self) -> None:
        """Take some of those that wait to the model, if any do."""
        size = max(_MIN_BATCH, len(self._waiting) // 2)
        batch, self._waiting = self._waiting[:size], self._waiting[size:]
        self._busy = len(batch) > 1
        if self._busy:
            arrays = (
                np.concatenate([each.image for each in batch]),
                np.array([each.number for each in batch]),
            )
            self._queue.put((asyncio.get_running_loop(), batch, arrays))
        elif batch:
            [one] = batch
            self._deliver(batch, self._predict(one.image, np.array([one.number])))

    def _run(self) -> None:
        """Call the model, in the thread."""
        while (given := self._queue.get()) is not None:
            loop, batch, arrays = given
            answers = self._predict(*arrays)
            with suppress(RuntimeError):  # the loop has ended, and whoever asked with it
                loop.call_soon_threadsafe(self._deliver, batch, answers)

    def _predict(self, images: Images, numbers: NDArray[np.int64]) -> Predictions | Exception:
        try:
            return self._predictor.predict_images(images, numbers, check=False)
        except Exception as error:
            return error

    def _deliver(self, batch: list[_Waiting], answers: Predictions | Exception) -> None:
        if self._busy:
            self._start()  # the thread has something to do before the answers are written
        for row, each in enumerate(batch):
            if each.future.done():  # whoever asked has gone
                continue
            if isinstance(answers, Exception):
                each.future.set_exception(answers)
            else:
                each.future.set_result((answers, row))


def _preprocess(request: PredictRequest, seconds: float) -> Preprocessed:
    until = time.monotonic() + seconds
    images, halves = [], {}
    for place, pair in enumerate(request.pairs):
        if time.monotonic() > until:
            raise HTTPError(413, f"The pictures take more than {seconds:g} s to open: send fewer at a time.")
        try:
            content = pair.content
            if not isinstance(content, bytes):
                images.append(_scale(content))
                continue
            found = find_digit(content)
            images.append(found.image[None])
            if found.halves:
                halves[place] = found
        except PictureError as error:
            raise type(error)(f"pairs[{place}]: {error}" if request.batch else str(error)) from None
    return Preprocessed(np.concatenate(images), halves)


def _scale(pixels: NDArray[np.uint8]) -> Images:
    return pixels[None].astype(np.float32) / np.float32(255)


def _is_quick(pair: Pair) -> bool:
    """Whether preprocessing takes about a millisecond: small PNG files do, whose header tells, and pixels."""
    file = pair.content
    if not isinstance(file, bytes):
        return True
    width, height = file[16:20], file[20:24]
    return (
        len(file) <= _SMALL_BYTES
        and file.startswith(b"\x89PNG\r\n\x1a\n")
        and file[12:16] == b"IHDR"
        and max(int.from_bytes(width, "big"), int.from_bytes(height, "big")) <= _SMALL_SIDE
    )
