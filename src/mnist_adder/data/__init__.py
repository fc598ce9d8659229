"""Files to tensors to batches: everything between a disk and the first layer.

In: a folder, the cache, two public mirrors or the digits bundled with scikit-learn. Out: a
:class:`Corpus` of images and digits, :class:`MNISTAdder` which pairs them with numbers, and
:class:`Batches` of those pairs, turned and shifted by :class:`Augment`. Next: training and evaluation.
"""

from mnist_adder.data.augment import Augment
from mnist_adder.data.batches import Batches
from mnist_adder.data.corpus import Corpus
from mnist_adder.data.pairs import MNISTAdder
from mnist_adder.data.sources import load_corpus

__all__ = ["Augment", "Batches", "Corpus", "MNISTAdder", "load_corpus"]
