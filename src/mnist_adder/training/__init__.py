"""From a design and data to a run. Importing this room imports Lightning, which takes seconds."""

from mnist_adder.training.finder import RangeTest, find_learning_rate
from mnist_adder.training.fit import train
from mnist_adder.training.members import resume, train_ensemble
from mnist_adder.training.processes import is_first_process
from mnist_adder.training.progress import Progress
from mnist_adder.training.series import train_or_carry_on, train_series

__all__ = [
    "Progress",
    "RangeTest",
    "find_learning_rate",
    "is_first_process",
    "resume",
    "train",
    "train_ensemble",
    "train_or_carry_on",
    "train_series",
]
