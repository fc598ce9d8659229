"""A data: images of handwritten digits, what they show, and where they came from.

In: arrays that a source has read and checked. Out: :class:`DigitImages`, and the fixed split of its training
part. Next: pairs, which joins the images with numbers.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from mnist_adder.errors import DataError
from mnist_adder.types import DIGITS

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

VALIDATION_SIZES = {"mnist": 5_000, "digits": 140}
"""How many training images of each dataset are held out for choices: 500 and 14 of each digit."""

_SPLIT_SEED = 20_260_101


@dataclass(frozen=True, kw_only=True, eq=False)
class DigitImages:
    """One dataset in memory: N training and M test images with the digits they show, on the CPU."""

    dataset: Literal["mnist", "digits"]
    train_images: Tensor
    """(N, 28, 28) uint8, ink bright on dark ground."""
    train_digits: Tensor
    """(N,) int64, 0..9."""
    test_images: Tensor
    """(M, 28, 28) uint8."""
    test_digits: Tensor
    """(M,) int64, 0..9."""
    sha256: str
    """Of the shapes and bytes of the four arrays, in the order above: the data that were really read."""
    origin: str
    """Where they came from, for a person to read."""


def images_from_arrays(
    dataset: Literal["mnist", "digits"],
    origin: str,
    train: tuple[NDArray[np.uint8], NDArray[np.uint8]],
    test: tuple[NDArray[np.uint8], NDArray[np.uint8]],
) -> DigitImages:
    """Make a data of (images (N, 28, 28), digits (N,)) for training and for test, all uint8."""
    digest = hashlib.sha256()
    for array in (*train, *test):
        digest.update(repr(array.shape).encode())
        digest.update(np.ascontiguousarray(array).data)
    return DigitImages(
        dataset=dataset,
        train_images=torch.from_numpy(train[0]),
        train_digits=torch.from_numpy(train[1].astype(np.int64)),
        test_images=torch.from_numpy(test[0]),
        test_digits=torch.from_numpy(test[1].astype(np.int64)),
        sha256=digest.hexdigest(),
        origin=origin,
    )


def split_validation(digits: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Choose ``size`` images to hold out, equally many of each digit, always the same ones.

    The choice depends on the digits alone. It comes from numpy's legacy generator, whose stream is frozen
    for good, so that no new version of a library moves an image from one side to the other.

    Args:
        digits: (N,) integers, 0..9.
        size: how many to hold out; a multiple of ten.

    Returns:
        (N - size,) and (size,) int64: the indices to train on and those held out, each in rising order.

    Raises:
        DataError: ``size`` is no positive multiple of ten, or a digit has too few images to keep one.
    """
    each, rest = divmod(size, DIGITS)
    if rest or each < 1:
        raise DataError(f"A validation split of {size} images: it must be a positive multiple of {DIGITS}.")
    labels = digits.cpu().numpy()
    held_out = np.zeros(len(labels), dtype=bool)
    random = np.random.RandomState(_SPLIT_SEED)
    for digit in range(DIGITS):
        members = np.flatnonzero(labels == digit)
        if len(members) <= each:
            raise DataError(
                f"{len(members)} images of a {digit} are too few to hold out {each} and keep some."
            )
        held_out[random.permutation(members)[:each]] = True
    return torch.from_numpy(np.flatnonzero(~held_out)), torch.from_numpy(np.flatnonzero(held_out))
