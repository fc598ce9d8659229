"""A checkpoint an epoch, from which a stopped training resumes; they go when training ends."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from mnist_adder.errors import RunError
from mnist_adder.models import Adder
from mnist_adder.safe_io import write_bytes

FOLDER = "checkpoints"
"""The folder of a run that holds them."""


def last(run_folder: Path) -> Path:
    """The file of the last whole epoch."""
    return run_folder / FOLDER / "last.ckpt"


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes to a temporary name and renames it, which Lightning does not where /tmp is another disk."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write a checkpoint, synced to the disk.

        Raises:
            OSError: it cannot be written; the one before is then as it was.
        """
        content = io.BytesIO()
        torch.save(checkpoint, content)
        Path(path).parent.mkdir(exist_ok=True)
        write_bytes(Path(path), content.getvalue())


def epochs_done(path: Path) -> int:
    """How many epochs a checkpoint comes after.

    Raises:
        RunError: the file is damaged.
    """
    with _reading(path) as content:
        return int(content["epoch"]) + 1


def seconds(run_folder: Path) -> float:
    """What training took up to the last whole epoch.

    Raises:
        RunError: the file is damaged.
    """
    path = last(run_folder)
    if not path.exists():
        return 0.0
    with _reading(path) as content:
        return float(sum(row["seconds"] for row in content["callbacks"]["MetricsLogger"]["rows"]))


def restore(model: Adder, path: Path) -> int:
    """Load a checkpoint's weights, averaged if they are, into the model; returns their epoch, from 1.

    Raises:
        RunError: the file is damaged.
    """
    with _reading(path) as content:
        weights = {name.removeprefix("model."): tensor for name, tensor in content["state_dict"].items()}
        model.load_state_dict(weights)
        return int(content["epoch"]) + 1


@contextmanager
def _reading(path: Path) -> Iterator[Any]:
    """A checkpoint's content, on the CPU; whatever is not as it should be in it is damage."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of some files before it refuses them
            content = torch.load(path, weights_only=True, map_location="cpu")
        yield content
    except Exception:  # damaged content may raise anything
        raise RunError(
            f"{path} is damaged. Delete {path.parent} to let the run begin again from the start."
        ) from None
