"""The handwritten digits that come with scikit-learn, made to look like MNIST: data without a network.

They are the test part of "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak, UCI, 1998): 8x8
counts of ink, 0..16. Small and easy; figures measured on them say nothing about MNIST. Their file is read
without importing scikit-learn, which takes half a second, and without torch.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mnist_adder.errors import DataError
from mnist_adder.types import SIDE

# The last fifth in file order. The file runs roughly writer by writer, so its end is mostly the hands of
# people whom the training part has not seen. A shuffled choice would put every writer on both sides.
TEST_SIZE = 360


def load_sklearn_digits() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """All 1,797 digits in file order: images (N, 28, 28) in MNIST's form and labels (N,), both uint8.

    A DataError says that scikit-learn is not installed.
    """
    found = importlib.util.find_spec("sklearn")
    if found is None or found.origin is None:
        raise DataError("The dataset digits comes with scikit-learn: pip install scikit-learn.")
    path = Path(found.origin).parent / "datasets" / "data" / "digits.csv.gz"
    rows = np.loadtxt(path, delimiter=",", dtype=np.uint8)
    images = np.stack([mnist_like(image) for image in rows[:, :64].reshape(-1, 8, 8) / 16])
    return images, rows[:, 64].copy()


def mnist_like(image: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Bring a small image into MNIST's form: cropped to its ink, scaled into 20x20, centred by mass.

    From (H, W) in [0, 1], ink bright on dark ground and somewhere, to (28, 28) uint8. The shape is kept, the
    scaling antialiased, and the centre of mass lands on row and column 14 (to half a pixel), as in MNIST.
    """
    rows, columns = np.nonzero(image)
    ink = image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].astype(np.float32)
    height, width = (max(1, round(20 * side / max(ink.shape))) for side in ink.shape)
    scaled = np.asarray(Image.fromarray(ink).resize((width, height), Image.Resampling.BICUBIC)).clip(0, 1)
    top, left = _start(scaled.sum(1)), _start(scaled.sum(0))
    canvas = np.zeros((SIDE, SIDE), np.uint8)
    canvas[top : top + height, left : left + width] = np.rint(scaled * 255)
    return canvas


def _start(mass: NDArray[np.float32]) -> int:
    """Where lines of these masses start so that their centre comes to lie on the middle, all inside."""
    centre = float(mass @ np.arange(len(mass)) / mass.sum())
    return min(max(0, round(SIDE // 2 - centre)), SIDE - len(mass))
