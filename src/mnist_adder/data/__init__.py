"""Everything between a file on disk and the first layer of a network.

``mnist`` reads and downloads MNIST's files and ``sklearn_digits`` the digits that come with scikit-learn;
``images`` chooses between them and holds out the validation images; ``dataset`` pairs images with numbers;
``loader`` makes batches, and ``augment`` changes them at random.

Names are imported when they are first used: ``mnist`` and ``sklearn_digits`` work without torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mnist_adder.data.augment import Augment
    from mnist_adder.data.dataset import MNISTAdder
    from mnist_adder.data.images import DigitImages, load_images
    from mnist_adder.data.loader import DeviceLoader

__all__ = ["Augment", "DeviceLoader", "DigitImages", "MNISTAdder", "load_images"]

_HOMES = {
    "Augment": "augment",
    "DeviceLoader": "loader",
    "DigitImages": "images",
    "MNISTAdder": "dataset",
    "load_images": "images",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"mnist_adder.data.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
