"""The handwritten digits bundled with scikit-learn, made to look like MNIST: data without a network.

In: nothing. Out: a data of 1,437 training and 360 test images. Next: sources, which falls back on it.

They are the test part of "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak, UCI, 1998): 8x8
counts of ink, 0..16. Small and easy; figures measured on them say nothing about MNIST.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from mnist_adder.data.images import DigitImages, images_from_arrays
from mnist_adder.types import SIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray

TEST_SIZE = 360
"""The last fifth in file order. The file runs roughly writer by writer, so that its end is mostly the
hands of people the training part has not seen, which is what a test should ask; a shuffled choice would
put every writer on both sides and flatter the result."""

_BOX = 20
_FULL_INK = 16
_CENTRE = SIDE // 2


def load_sklearn_digits() -> DigitImages:
    """All 1,797 digits that come with scikit-learn, as 28x28 images; takes about a second."""
    import sklearn
    from sklearn.datasets import load_digits

    small, labels = load_digits(return_X_y=True)
    images = np.stack([mnist_like(image) for image in small.reshape(-1, 8, 8) / _FULL_INK])
    digits = labels.astype(np.uint8)
    return images_from_arrays(
        "digits",
        f"the {len(digits):,} handwritten digits bundled with scikit-learn {sklearn.__version__}, "
        f"scaled to {SIDE}x{SIDE}",
        (images[:-TEST_SIZE], digits[:-TEST_SIZE]),
        (images[-TEST_SIZE:], digits[-TEST_SIZE:]),
    )


def mnist_like(image: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Bring a small image into MNIST's form: cropped to its ink, scaled into 20x20, centred by mass.

    The shape is kept, the scaling antialiased, and the centre of mass lands on row and column 14 of 28 (to
    half a pixel), where it is in MNIST.

    Args:
        image: (H, W) in [0, 1], ink bright on dark ground, with ink somewhere.

    Returns:
        (28, 28) uint8.
    """
    rows, columns = np.nonzero(image)
    ink = image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].astype(np.float32)
    height, width = (max(1, round(_BOX * side / max(ink.shape))) for side in ink.shape)
    scaled = np.asarray(Image.fromarray(ink).resize((width, height), Image.Resampling.BICUBIC)).clip(0, 1)
    mass = scaled.sum()
    top = _place(float(scaled.sum(1) @ np.arange(height) / mass), height)
    left = _place(float(scaled.sum(0) @ np.arange(width) / mass), width)
    canvas = np.zeros((SIDE, SIDE), np.uint8)
    canvas[top : top + height, left : left + width] = np.rint(scaled * 255)
    return canvas


def _place(centre: float, length: int) -> int:
    """Where ``length`` pixels start so that ``centre`` comes to lie on the middle, all inside."""
    return min(max(0, round(_CENTRE - centre)), SIDE - length)
