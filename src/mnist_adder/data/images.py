"""The images of a dataset in memory: which dataset it is, and which images are held out for validation."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mnist_adder.data.mnist import DATA_VARIABLE, MNIST, Manifest, load_mnist
from mnist_adder.data.sklearn_digits import TEST_SIZE, load_sklearn_digits
from mnist_adder.errors import DataError
from mnist_adder.types import DIGITS, NO_DIGIT

DatasetName = Literal["auto", "mnist", "digits"]
SplitName = Literal["train", "validation", "test", "all"]

VALIDATION_SIZES = {
    "mnist": 5_000,
    "mnist+pen": 5_000,
    "digits": 140,
}  # training images held out: 500 and 14 of each digit
_SPLIT_SEED = 20_260_101


@dataclass(frozen=True, kw_only=True, eq=False)
class DigitImages:
    """One dataset in memory: N training and M test images with the digits they show, on the CPU."""

    dataset: Literal["mnist", "mnist+pen", "digits"]
    train_images: Tensor  # (N, 28, 28) uint8, ink bright on dark ground
    train_digits: Tensor  # (N,) int64, 0..9, with pen images also NO_DIGIT
    test_images: Tensor  # (M, 28, 28) uint8
    test_digits: Tensor  # (M,) int64, 0..9
    sha256: str  # of the shapes and bytes of the four arrays, in this order
    origin: str  # where they came from, for a person to read
    pen: int = 0  # the last so many training images are pen-written; none of them is held out

    @property
    def has_outliers(self) -> bool:
        """Whether some training images show no digit."""
        return bool((self.train_digits == NO_DIGIT).any())

    def select(self, split: SplitName) -> tuple[Tensor, Tensor]:
        """The images (N, 28, 28) and digits (N,) of a split."""
        if split == "test":
            return self.test_images, self.test_digits
        if split == "all":
            return self.train_images, self.train_digits
        count = len(self.train_digits) - self.pen
        train, validation = split_validation(self.train_digits[:count], VALIDATION_SIZES[self.dataset])
        chosen = torch.cat([train, count + torch.arange(self.pen)]) if split == "train" else validation
        return self.train_images[chosen], self.train_digits[chosen]


def load_images(
    dataset: DatasetName = "auto",
    data_dir: Path | str | None = None,
    notify: Callable[[str], None] | None = None,
    *,
    manifest: Manifest = MNIST,
) -> DigitImages:
    """Load a dataset from the first place that has it.

    MNIST comes from ``data_dir``, else from the folder that the environment variable ``MNIST_ADDER_DATA``
    names, else from the cache, else from a public mirror (into the cache, 11 MB, once). A folder that was
    named must be right: it is never passed over. Only where none was named, and MNIST is neither cached
    nor to be downloaded, does ``"auto"`` go on with the digits bundled with scikit-learn, and says so.
    ``"mnist"`` is strict, ``"digits"`` are the bundled ones. :mod:`mnist_adder.pen` adds pen-written digits.

    ``notify`` takes sentences for the user; without it the fallback is a ``UserWarning``. ``manifest`` says
    which files count as MNIST, and which mirrors serve them.

    Raises:
        DataError: there is no such dataset, or it cannot be had.
    """
    if dataset not in get_args(DatasetName):
        raise DataError(f"There is no dataset {dataset!r}: choose auto, mnist or digits.")
    if dataset == "digits" and data_dir is not None:
        raise DataError(f"The dataset digits needs no folder, but {data_dir} was given: drop one of the two.")
    if dataset != "digits":
        try:
            folder, arrays = load_mnist(data_dir, notify, manifest)
            return _as_tensors("mnist", f"MNIST, from {folder}", arrays)
        except DataError as error:
            if dataset == "mnist" or data_dir or os.environ.get(DATA_VARIABLE):
                raise
            tell = notify or warnings.warn
            tell(f"{error} Going on WITHOUT MNIST, with the small digits that come with scikit-learn.")
    images, digits = load_sklearn_digits()
    origin = f"the {len(digits):,} handwritten digits bundled with scikit-learn, scaled to 28x28"
    train, test = slice(-TEST_SIZE), slice(-TEST_SIZE, None)
    return _as_tensors("digits", origin, [images[train], digits[train], images[test], digits[test]])


def _as_tensors(
    dataset: Literal["mnist", "digits"], origin: str, arrays: Sequence[NDArray[np.uint8]]
) -> DigitImages:
    """Training images and digits, test images and digits, all uint8."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(repr(array.shape).encode())
        digest.update(array.data)
    train_images, train_digits, test_images, test_digits = map(torch.from_numpy, arrays)
    return DigitImages(
        dataset=dataset,
        train_images=train_images,
        train_digits=train_digits.long(),
        test_images=test_images,
        test_digits=test_digits.long(),
        sha256=digest.hexdigest(),
        origin=origin,
    )


def split_validation(digits: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Choose images to hold out, equally many of each digit, always the same ones.

    The choice depends on the digits (N,) alone. It comes from numpy's legacy generator, whose stream is
    frozen for good, so that no new version of a library moves an image from one side to the other.

    Returns:
        (N - size,) and (size,) int64: the indices to train on and those held out, each in rising order.
    """
    labels = digits.numpy()
    held_out = np.zeros(len(labels), dtype=bool)
    random = np.random.RandomState(_SPLIT_SEED)
    for digit in range(DIGITS):
        held_out[random.permutation(np.flatnonzero(labels == digit))[: size // DIGITS]] = True
    return torch.from_numpy(np.flatnonzero(~held_out)), torch.from_numpy(np.flatnonzero(held_out))
