"""Files to tensors to batches: everything between a disk and the first layer.

In: a folder, the cache, two public mirrors or the digits bundled with scikit-learn. Out: a
:class:`DigitImages` of images and digits, :class:`MNISTAdder` which pairs them with numbers, and
:class:`DeviceLoader` of those pairs, turned and shifted by :class:`Augment`. Next: training and evaluation.
"""

from mnist_adder.data.augment import Augment
from mnist_adder.data.dataset import MNISTAdder
from mnist_adder.data.images import DigitImages
from mnist_adder.data.loader import DeviceLoader
from mnist_adder.data.sources import load_images

__all__ = ["Augment", "DeviceLoader", "DigitImages", "MNISTAdder", "load_images"]
