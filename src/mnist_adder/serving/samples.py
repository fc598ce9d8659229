"""Handwritten digits to try the service with, without torch and without a network.

Nothing comes in but the user's folders; arrays go out, for ``/samples/random``. MNIST's test images where
their files are at hand, else those of the digits that are bundled with scikit-learn, whose file is read
without importing it.
"""

from __future__ import annotations

import gzip
import importlib.util
import os
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mnist_adder.inference import preprocess
from mnist_adder.types import SIDE

MNIST = "MNIST test images"
BUNDLED = "digits bundled with scikit-learn"
_COUNT = 10_000
_BUNDLED_TEST = 360  # of its 1,797: those that no model of ours trains on
_SHOWN = 100


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
    for folder in _folders():
        try:
            images = _read(folder, "t10k-images-idx3-ubyte", 16).reshape(_COUNT, SIDE, SIDE)
            digits = _read(folder, "t10k-labels-idx1-ubyte", 8)
        except (OSError, EOFError, ValueError):
            continue  # not there, or not whole
        if len(digits) == _COUNT and digits.max() < 10:
            return Samples(images=images, digits=digits, source=MNIST)
    return _bundled()


def _folders() -> list[Path]:
    """Where MNIST may lie: the folder that the user names, and the cache; see mnist_adder.data."""
    found = [Path(named).expanduser()] if (named := os.environ.get("MNIST_ADDER_DATA")) else []
    try:
        import pooch

        cache = os.environ.get("MNIST_ADDER_CACHE")
        found.append((Path(cache).expanduser() if cache else Path(pooch.os_cache("mnist-adder"))) / "mnist")
    except ImportError:
        pass
    return found


def _read(folder: Path, name: str, header: int) -> NDArray[np.uint8]:
    """The values of an IDX file, packed or not."""
    packed = folder / f"{name}.gz"
    content = gzip.decompress(packed.read_bytes()) if packed.exists() else (folder / name).read_bytes()
    return np.frombuffer(content, np.uint8, offset=header)


def _bundled() -> Samples | None:
    found = importlib.util.find_spec("sklearn")
    if found is None or found.origin is None:
        return None
    path = Path(found.origin).parent / "datasets" / "data" / "digits.csv.gz"
    try:
        with gzip.open(path, "rt") as file:
            rows = np.loadtxt(file, delimiter=",", dtype=np.uint8)[-_BUNDLED_TEST:]
    except (OSError, EOFError, ValueError):
        return None
    images = np.stack([_enlarged(row[:64].reshape(8, 8)) for row in rows[:_SHOWN]])
    return Samples(images=images, digits=rows[:_SHOWN, 64], source=BUNDLED)


def _enlarged(small: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """8 x 8 counts of ink, 0..16 -> an image (28, 28) as MNIST has them."""
    picture = Image.fromarray(small * np.uint8(15)).resize((32, 32), Image.Resampling.LANCZOS)
    return np.rint(preprocess(np.pad(np.asarray(picture), 8)) * 255).astype(np.uint8)
