"""From a design and data to a run. Importing this room imports Lightning, which takes seconds."""

from mnist_adder.training.fit import is_first_process, resume, train
from mnist_adder.training.progress import Progress

__all__ = ["Progress", "is_first_process", "resume", "train"]
