"""Everything between a file on disk and the first layer of a network.

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

_HOMES = {"Augment": "augment", "DeviceLoader": "loader", "MNISTAdder": "dataset"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"mnist_adder.data.{_HOMES.get(name, 'images')}"), name)
