"""The command line, one file a command: parse, call one function, print.

No other package imports this one. Heavy imports are inside the commands, so that ``--help`` is fast.
"""

import importlib

from mnist_adder.cli.app import main

__all__ = ["main"]

# Importing a command's file registers it; --help lists them in this order.
for _command in (
    "train",
    "predict",
    "evaluate",
    "report",
    "models",
    "compare",
    "speedrun",
    "find_lr",
    "export",
    "serve",
    "worksheet",
):
    importlib.import_module(f"mnist_adder.cli.{_command}")
