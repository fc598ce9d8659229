"""Handwritten digits to try the service with, for ``/samples/random``.

MNIST's test images where they are at hand, else the test part of the digits that come with scikit-learn.
Nothing is downloaded.
"""

from __future__ import annotations

import contextlib
import random
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_adder.data.mnist import MNIST, Manifest, load_mnist
from mnist_adder.data.sklearn_digits import TEST_SIZE, load_sklearn_digits
from mnist_adder.errors import DataError

_TEST_FILES = Manifest(MNIST.files[2:], mirrors=())


@dataclass(frozen=True, kw_only=True, eq=False)
class Samples:
    """Images to choose from."""

    images: NDArray[np.uint8]  # (N, 28, 28), ink bright
    digits: NDArray[np.uint8]  # (N,)
    source: str

    def choose(self) -> dict[str, Any]:
        """One of them, as /samples/random answers."""
        place = random.randrange(len(self.digits))
        return {
            "pixels": self.images[place],
            "digit": int(self.digits[place]),
            "source": self.source,
        }


def load_samples() -> Samples | None:
    """The samples of this machine; None where there are none."""
    with contextlib.suppress(DataError, ImportError):  # ImportError: without pooch there is no cache
        images, digits = load_mnist(manifest=_TEST_FILES)[1]
        return Samples(images=images, digits=digits, source="MNIST test images")
    with contextlib.suppress(DataError):
        images, digits = (array[-TEST_SIZE:] for array in load_sklearn_digits())
        return Samples(images=images, digits=digits, source="digits bundled with scikit-learn")
    return None
