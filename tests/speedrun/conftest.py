"""MNIST's two training files with a thousand images of the dataset, as bytes."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from mnist_adder.data.images import DigitImages
from mnist_adder.speedrun.stream import IMAGES, LABELS

COUNT = 1297  # ten batches of 128, and some more


def packed(images: np.ndarray, digits: np.ndarray) -> dict[str, bytes]:
    """The two training files of MNIST, holding these."""
    header = b"".join(size.to_bytes(4, "big") for size in (0x803, *images.shape))
    labels = (0x801).to_bytes(4, "big") + len(digits).to_bytes(4, "big")
    return {
        IMAGES: gzip.compress(header + images.tobytes(), compresslevel=1),
        LABELS: gzip.compress(labels + digits.tobytes()),
    }


@pytest.fixture(scope="session")
def files(data: DigitImages) -> dict[str, bytes]:
    digits = data.train_digits[:COUNT].numpy().astype(np.uint8)
    return packed(data.train_images[:COUNT].numpy(), digits)
