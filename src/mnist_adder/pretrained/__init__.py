"""The weights of the package, so that prediction works at once and offline.

Each is a finished run in a folder beside this file: weights, model.onnx, and how it was trained.
"""

from __future__ import annotations

from pathlib import Path

from mnist_adder.errors import RunError
from mnist_adder.runs import Run, latest_run, load_run

__all__ = ["DEFAULT", "LATEST", "folder_of", "is_packaged", "load_pretrained", "names", "pretrained_folder"]

DEFAULT = "default"
"""The weights that predict where no run is named."""
LATEST = "latest"
"""The name of the newest finished run below ``runs/``."""


def names() -> list[str]:
    """The names of all weights of the package."""
    return sorted(path.parent.name for path in Path(__file__).parent.glob("*/results.json"))


def pretrained_folder(name: str = DEFAULT) -> Path:
    """The run folder of weights of the package.

    Raises:
        RunError: the package has none of this name.
    """
    if name not in names():
        raise RunError(f"The package has no weights {name!r}. It has: {', '.join(names())}.")
    return Path(__file__).parent / name


def load_pretrained(name: str = DEFAULT) -> Run:
    """Load a finished run of the package.

    Example::

        run = load_pretrained()
        run.results["joint_accuracy"], run.load_model()

    Raises:
        RunError: the package has none of this name.
        MissingExtraError: PyTorch is not installed.
    """
    return load_run(pretrained_folder(name))


def folder_of(run: str | Path) -> Path:
    """The run folder that a user means: a path or, where there is no such folder, a name or ``latest``.

    Raises:
        RunError: it is ``latest``, and there is no finished run in ``runs/``.
    """
    path, name = Path(run), str(run)
    if path.is_dir():
        return path
    if name == LATEST:
        return latest_run()
    return pretrained_folder(name) if name in names() else path


def is_packaged(folder: Path) -> bool:
    """Whether a run folder is one of the package's own, in which nothing is written."""
    return folder.parent == Path(__file__).parent
