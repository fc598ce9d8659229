"""Predicts with the model.onnx or model.int8.onnx of a run.

Only onnxruntime, numpy and Pillow are imported: the base install has nothing else, and torch takes seconds.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mnist_adder.errors import NumberError, PictureError, RunError
from mnist_adder.inference.preprocess import FoundDigit, find_digit
from mnist_adder.inference.session import (
    HOW,
    Answers,
    check_checksum,
    open_session,
    run_session,
    threshold_of,
)
from mnist_adder.pretrained import folder_of, pretrained_folder
from mnist_adder.safe_io import read_bytes
from mnist_adder.types import NUMBERS, SIDE, Prediction

if TYPE_CHECKING:
    from mnist_adder.inference.picture import Picture
    from mnist_adder.runs import Run

MODEL = "model.onnx"
"""The file of a run folder that predicts."""
MODEL_INT8 = "model.int8.onnx"
"""Its 8-bit form; see :mod:`mnist_adder.inference.int8`."""
_PAIRS_AT_ONCE = 64  # about the fastest on one core, with little memory even for binary-sum


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions:
    """The answers to N pairs; ``answers[row]`` is one of them as a Prediction."""

    digits: NDArray[np.int64]  # (N,) 0..9
    numbers: NDArray[np.int64]  # (N,) 0..9, as given
    sums: NDArray[np.int64]  # (N,) 0..18
    digit_probabilities: NDArray[np.float32]  # (N, 10), rows add up to 1
    sum_probabilities: NDArray[np.float32]  # (N, 19), rows add up to 1
    is_digit: NDArray[np.bool_]  # (N,)
    is_digit_probability: NDArray[np.float32] | None  # (N,) in [0, 1]; None: the model was not taught to tell

    def __len__(self) -> int:
        return len(self.digits)

    def __getitem__(self, row: int) -> Prediction:
        probability = self.is_digit_probability
        return Prediction(
            digit=int(self.digits[row]),
            number=int(self.numbers[row]),
            sum=int(self.sums[row]),
            digit_probabilities=tuple(self.digit_probabilities[row].tolist()),
            sum_probabilities=tuple(self.sum_probabilities[row].tolist()),
            is_digit=bool(self.is_digit[row]),
            is_digit_probability=None if probability is None else float(probability[row]),
            several=False,
        )


class Predictor:
    """A trained run, loaded once for many predictions; threads may share it.

    Example::

        predictor = Predictor("runs/exact-sum")
        predictor.predict("seven.png", 5).sum

    Args:
        run: a run, its folder, ``"latest"`` for the newest finished run below ``runs/``, or ``"best"`` or
            ``"tiny"``, which are weights of the package. None: the package's default weights.
        threads: over which :meth:`predict_images` distributes its images; 0 is one for each core.
        int8: use model.int8.onnx, which is faster and whose probabilities are a little less exact.

    Raises:
        RunError: there is no such run, it has no such file, or this package did not write that file.
    """

    folder: Path
    """The folder of the run."""
    metadata: Mapping[str, str]
    """Model, seed, results and more; see :func:`~mnist_adder.inference.export.describe`."""
    is_digit_threshold: float | None
    """The least ``is_digit_probability`` of what is taken for a digit; None if the model cannot tell."""

    def __init__(self, run: Run | str | Path | None = None, *, threads: int = 1, int8: bool = False) -> None:
        if run is None:
            self.folder = pretrained_folder()
        else:
            self.folder = folder_of(run) if isinstance(run, str | Path) else run.folder
        self._path = self.folder / (MODEL_INT8 if int8 else MODEL)
        self._session = open_session(_read(self._path), str(self._path))
        self.is_digit_threshold = threshold_of(self._session, str(self._path))
        self._threads = threads or _cores()
        about = self._session.get_modelmeta().custom_metadata_map
        self.metadata = {key: value for key, value in about.items() if key != "sha256"}

    def predict(self, picture: Picture, number: int | str) -> Prediction:
        """Predict the digit in a picture and its sum with a number.

        Args:
            picture: a path, bytes, an open file, a Pillow image, an array or a tensor; see
                :func:`mnist_adder.inference.picture.open_picture`.
            number: 0..9, an int or its text.

        Raises:
            NumberError: the number is not one of 0..9.
            PictureError: the picture cannot be read, or shows no digit.
        """
        whole, found = check_number(number), find_digit(picture)
        answer = self._ask(found.image[None], np.array([whole]))[0]
        return replace(answer, is_digit=False, several=True) if self.shows_several(found) else answer

    def shows_several(self, found: FoundDigit) -> bool:
        """Whether a picture shows several digits side by side: both halves are digits.

        An open 4 may have two halves, too: where the image shows both, it must itself be no digit. A model
        that was not taught to tell takes everything for a digit, so it says no more than what was left out.
        """
        if not found.halves:
            return False
        images = np.stack([found.image, *found.halves])
        whole, *halves = self.predict_images(images, [0] * len(images), check=False).is_digit.tolist()
        return all(halves) and not (whole and found.shows_both)

    def predict_images(
        self,
        images: NDArray[np.float32],
        numbers: NDArray[np.integer] | Sequence[int],
        *,
        check: bool = True,
    ) -> Predictions:
        """Predict the digits in N images as MNIST has them, and their sums with N numbers.

        Args:
            images: (N, 28, 28) float32 in [0, 1], ink bright on dark, N at least 1, as
                :func:`~mnist_adder.inference.preprocess.preprocess` makes them.
            numbers: (N,) whole numbers, 0..9.
            check: check both first. Pass False if they are known to be right and numbers to be int64: a
                service has checked them already.

        Raises:
            NumberError: the numbers are not N whole numbers from 0 to 9.
            PictureError: the images have another shape, type or range.
        """
        if check:
            check_images(images)
            numbers = _check_numbers(numbers, len(images))
        return self._ask(images, np.asarray(numbers))

    def _ask(self, images: NDArray[np.float32], numbers: NDArray[np.int64]) -> Predictions:
        def answer(part: slice) -> Answers:
            return run_session(self._session, images[part, None], numbers[part], str(self._path))

        parts = [slice(start, start + _PAIRS_AT_ONCE) for start in range(0, len(images), _PAIRS_AT_ONCE)]
        if self._threads == 1 or len(parts) == 1:
            answers = list(map(answer, parts))
        else:
            with ThreadPoolExecutor(self._threads) as pool:  # onnxruntime releases the GIL
                answers = list(pool.map(answer, parts))
        digits, sums, digit_probabilities, sum_probabilities, is_digit_probability = _join(answers)
        if is_digit_probability is None or self.is_digit_threshold is None:
            is_digit = np.ones(len(images), np.bool_)
        else:
            is_digit = is_digit_probability >= self.is_digit_threshold
        return Predictions(
            digits=digits,
            numbers=numbers,
            sums=sums,
            digit_probabilities=digit_probabilities,
            sum_probabilities=sum_probabilities,
            is_digit=is_digit,
            is_digit_probability=is_digit_probability,
        )


def _join(answers: Sequence[Answers]) -> Answers:
    """The answers to parts of the pairs as one."""
    if len(answers) == 1:
        return answers[0]
    joined: list[Any] = [
        None if parts[0] is None else np.concatenate(parts) for parts in zip(*answers, strict=True)
    ]
    return Answers(*joined)


def _cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def predict(picture: Picture, number: int | str, run: Run | str | Path | None = None) -> Prediction:
    """Predict the digit in a picture and its sum with a number, with the weights of the package or a run.

    This loads the weights each time; for many pictures make one :class:`Predictor`, whose arguments and
    errors these are.
    """
    return Predictor(run).predict(picture, number)


def check_number(number: int | str) -> int:
    """Return the number as an int.

    Raises:
        NumberError: it is not one of 0..9.
    """
    text = str(number).strip()
    if isinstance(number, bool) or not (len(text) == 1 and text.isascii() and text.isdigit()):
        raise NumberError(f"The number is {text[:40]!r}, but must be a whole number from 0 to {NUMBERS - 1}.")
    return int(text)


def _read(path: Path) -> bytes:
    folder = path.parent
    if not folder.is_dir():
        raise RunError(f"There is no run folder {folder}. Make one with: mnist-adder train")
    try:
        content = read_bytes(path)
    except FileNotFoundError:
        if path.name == MODEL_INT8:
            raise RunError(f"{folder} has no {MODEL_INT8}. Write it: {HOW} --int8") from None
        reason = "its training did not end, or an older version trained it"
        raise RunError(f"{folder} has no {MODEL}: {reason}. Write it: {HOW}.") from None
    check_checksum(content, str(path))
    return content


def check_images(images: NDArray[np.float32]) -> None:
    """Check that images are as :meth:`Predictor.predict_images` takes them.

    Raises:
        PictureError: they have another shape, type or range.
    """
    is_array = isinstance(images, np.ndarray)
    if not is_array or images.dtype != np.float32 or images.shape[1:] != (SIDE, SIDE) or not len(images):
        found = f"{images.dtype} {images.shape}" if is_array else type(images).__name__
        wanted = f"a float32 array (N, {SIDE}, {SIDE}) with N at least 1"
        raise PictureError(f"The images are {found}, but must be {wanted}.")
    low, high = float(images.min()), float(images.max())
    if not (low >= 0 and high <= 1):  # NaN fails both
        raise PictureError(
            f"The images reach from {low:g} to {high:g}, but must lie in [0, 1]: divide by 255."
        )


def _check_numbers(numbers: NDArray[np.integer] | Sequence[int], count: int) -> NDArray[np.int64]:
    wanted = f"must be {count} whole numbers from 0 to {NUMBERS - 1}, one for each image"
    array = np.asarray(numbers)
    if array.dtype.kind not in "iu" or array.shape != (count,):
        raise NumberError(f"The numbers are {array.dtype} {array.shape}, but {wanted}.")
    if array.min() < 0 or array.max() >= NUMBERS:
        raise NumberError(f"The numbers reach from {array.min()} to {array.max()}, but {wanted}.")
    return array.astype(np.int64)
