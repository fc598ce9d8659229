"""The command line: parse, call one function, print. Nothing imports this room.

Heavy imports wait inside the commands that need them, so that ``--help`` is quick.
"""

from mnist_adder.cli import learn, look, speedrun, teach, use  # they register their commands
from mnist_adder.cli.app import app, main

__all__ = ["app", "learn", "look", "main", "speedrun", "teach", "use"]
