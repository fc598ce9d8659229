"""Weights that come with the package, so that prediction works at once and offline.

A name comes in, a finished run goes out: its folder lies beside this file, with weights, model.onnx and
results, which say how it was trained.
"""

from __future__ import annotations

from pathlib import Path

from mnist_adder.errors import RunError
from mnist_adder.runs import Run, load_run

__all__ = ["DEFAULT", "folder_of", "load_pretrained", "names", "pretrained_folder"]

DEFAULT = "default"
"""The weights that answer where there is no run of the user's own."""


def names() -> list[str]:
    """The names of all weights that come with the package."""
    return sorted(path.parent.name for path in Path(__file__).parent.glob("*/results.json"))


def pretrained_folder(name: str = DEFAULT) -> Path:
    """The run folder of weights that come with the package.

    Raises:
        RunError: there are none of this name.
    """
    if name not in names():
        raise RunError(f"No weights {name!r} come with the package. There are: {', '.join(names())}.")
    return Path(__file__).parent / name


def load_pretrained(name: str = DEFAULT) -> Run:
    """A finished run that comes with the package.

    Example::

        run = load_pretrained()
        run.results["joint_accuracy"], run.load_model()

    Raises:
        RunError: there is none of this name.
    """
    return load_run(pretrained_folder(name))


def folder_of(run: str | Path) -> Path:
    """The folder that a user means by a path or, where there is no such folder, by one of the names."""
    path = Path(run)
    return pretrained_folder(str(run)) if str(run) in names() and not path.is_dir() else path
