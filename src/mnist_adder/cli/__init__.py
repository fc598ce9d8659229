"""The command line: parse, call one function, print. Nothing imports this room.

Heavy imports wait inside the commands that need them, so that ``--help`` is quick.
"""

from mnist_adder.cli import (  # they register their commands
    compare,
    find_lr,
    look,
    speedrun,
    teach,
    train,
    use,
)
from mnist_adder.cli.app import app, main

__all__ = ["app", "compare", "find_lr", "look", "main", "speedrun", "teach", "train", "use"]
