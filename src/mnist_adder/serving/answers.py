"""Pairs -> answers: the models that are loaded, and how a request's pictures get to one of them.

What ``requests`` read comes in, arrays go out, for ``app`` to write as JSON. Small work is done on the spot,
for handing it to a thread would take longer; the rest goes to the threads, while others are answered.
"""

from __future__ import annotations

import asyncio
import json
import queue
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mnist_adder.errors import PictureError
from mnist_adder.inference import Predictions, Predictor, preprocess
from mnist_adder.pretrained import DEFAULT, names, pretrained_folder
from mnist_adder.serving.limits import HTTPError, Limits, Workers
from mnist_adder.serving.requests import Pair, PredictRequest

AT_ONCE = 16
"""Pairs that are answered on the spot: a millisecond or so."""
_SMALL_BYTES, _SMALL_SIDE = 4096, 64  # pictures that are opened on the spot
_TOGETHER = 8  # questions that are no more work one by one than in a larger batch

Images = NDArray[np.float32]  # (N, 28, 28) in [0, 1]
Answer: TypeAlias = tuple[Predictions, int]  # what was answered together, and the row that one asked for


@dataclass(frozen=True, kw_only=True)
class Model:
    """A run that answers, and what its file says about it."""

    name: str
    predictor: Predictor
    model: str
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
        except (KeyError, ValueError, RecursionError):
            results = None
        if not isinstance(results, dict):  # a file that says nothing about itself answers all the same
            results = {}
        return cls(
            name=name,
            predictor=predictor,
            model=about.get("model", "unknown"),
            dataset=about.get("dataset", "unknown"),
            parameters=results.get("parameters"),
            joint_accuracy=results.get("joint_accuracy"),
        )

    def about(self) -> dict[str, Any]:
        """What /models says."""
        shown = ("name", "model", "parameters", "joint_accuracy", "dataset")
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
        HTTPError: 404, there is none.
    """
    if name is None:
        return next(iter(models.values()))
    if name not in models:
        raise HTTPError(404, f"There is no model {name[:60]!r}; there are: {', '.join(models)}.")
    return models[name]


async def preprocess_request(asked: PredictRequest, workers: Workers, limits: Limits) -> Images:
    """The images of a request as the network sees them, (N, 28, 28).

    Raises:
        PictureError: a picture is none of a digit.
        HTTPError: 503, all threads are busy; 413, the pictures take too long.
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
        HTTPError: 503, all threads are busy.
    """
    array = np.array(numbers, dtype=np.int64)
    if len(images) <= AT_ONCE:
        return model.predictor.predict_images(images, array)
    return await workers.run(model.predictor.predict_images, images, array)


class MicroBatcher:
    """Asks the models about many at once, of all that has come in while they were busy.

    Nothing waits for more to come: a request alone is answered on the spot, as handing it to a thread would
    take longer. Several go to a thread, since onnxruntime works beside Python. Only half of those that wait
    go at once: else the thread would be idle while their answers are written and the next requests read. The
    thread does nothing but ask the models, since for anything else it would have to wait for Python's lock.
    """

    def __init__(self) -> None:
        self._waiting: list[_Waiting] = []
        self._busy = False
        self._given: queue.SimpleQueue[tuple[asyncio.AbstractEventLoop, list[_Batch]] | None]
        self._given = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="models", daemon=True)
        self._thread.start()

    async def ask(self, model: Model, image: Images, number: int) -> Answer:
        """The model's answer to one image (1, 28, 28) in [0, 1] and a number."""
        loop = asyncio.get_running_loop()
        one = _Waiting(model, image, number, loop.create_future())
        self._waiting.append(one)
        if not self._busy:
            self._busy = True
            loop.call_soon(self._start)  # others may have come in the same turn of the loop
        return await one.future

    def close(self) -> None:
        """Wait for what the models are at and end their thread."""
        self._given.put(None)
        self._thread.join()

    def _start(self) -> None:
        """Take some of those that wait to the models, if any do."""
        most = max(_TOGETHER, len(self._waiting) // 2)
        taken, self._waiting = self._waiting[:most], self._waiting[most:]
        self._busy = len(taken) > 1
        if self._busy:
            self._given.put((asyncio.get_running_loop(), _batches(taken)))
        elif taken:
            self._tell([(batch, batch.answer()) for batch in _batches(taken)])

    def _work(self) -> None:
        """Ask the models what is given, in their thread."""
        while (given := self._given.get()) is not None:
            loop, batches = given
            answers = [(batch, batch.answer()) for batch in batches]
            with suppress(RuntimeError):  # the loop has ended, and whoever asked with it
                loop.call_soon_threadsafe(self._tell, answers)

    def _tell(self, answers: list[tuple[_Batch, Predictions | Exception]]) -> None:
        if self._busy:
            self._start()  # the thread has something to do before the answers are written
        for batch, answer in answers:
            for row, future in enumerate(batch.futures):
                if future.done():  # whoever asked has gone
                    continue
                if isinstance(answer, Exception):
                    future.set_exception(answer)
                else:
                    future.set_result((answer, row))


class _Waiting(NamedTuple):
    """One question, and who waits for its answer."""

    model: Model
    image: Images  # (1, 28, 28)
    number: int
    future: asyncio.Future[Answer]


class _Batch(NamedTuple):
    """What a model is asked at once, and who waits for each of the answers."""

    model: Model
    images: Images
    numbers: NDArray[np.int64]  # (N,)
    futures: list[asyncio.Future[Answer]]

    def answer(self) -> Predictions | Exception:
        """All answers, or what went wrong."""
        try:
            return self.model.predictor.predict_images(self.images, self.numbers, check=False)
        except Exception as error:
            return error


def _batches(asked: Sequence[_Waiting]) -> list[_Batch]:
    """A batch for each model that is asked."""
    by_model: dict[str, list[_Waiting]] = {}
    for one in asked:
        by_model.setdefault(one.model.name, []).append(one)
    return [
        _Batch(
            same[0].model,
            np.concatenate([one.image for one in same]),
            np.array([one.number for one in same]),
            [one.future for one in same],
        )
        for same in by_model.values()
    ]


def _see(asked: PredictRequest, seconds: float) -> Images:
    until = time.monotonic() + seconds
    images = []
    for place, pair in enumerate(asked.pairs):
        if time.monotonic() > until:
            raise HTTPError(413, f"The pictures take more than {seconds:g} s to open: send fewer at a time.")
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


def _scaled(pixels: NDArray[np.uint8]) -> Images:
    return pixels[None].astype(np.float32) / np.float32(255)


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
