"""Handwritten digits to try the service with, for ``/samples/random``.

MNIST's test images where they are at hand, else the test part of the digits that come with scikit-learn.
Nothing is downloaded.
"""

from __future__ import annotations

import contextlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnist_adder.data.mnist import MNIST, Manifest, load_mnist
from mnist_adder.data.sklearn_digits import TEST_SIZE, load_sklearn_digits
from mnist_adder.errors import DataError

_TEST_FILES = Manifest(MNIST.files[2:], mirrors=())


class Samples(NamedTuple):
    """Images to choose from."""

    images: NDArray[np.uint8]  # (N, 28, 28), ink bright
    digits: NDArray[np.uint8]  # (N,)
    source: str


def load_samples() -> Samples | None:
    """The samples of this machine; None where there are none."""
    with contextlib.suppress(DataError, ImportError):  # ImportError: without pooch there is no cache
        images, digits = load_mnist(manifest=_TEST_FILES)[1]
        return Samples(images, digits, "MNIST test images")
    with contextlib.suppress(DataError):
        images, digits = load_sklearn_digits()
        return Samples(images[-TEST_SIZE:], digits[-TEST_SIZE:], "digits bundled with scikit-learn")
    return None
