"""A checkpoint an epoch, from which a stopped training resumes; they go when training ends."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from mnist_adder.errors import RunError
from mnist_adder.models import Adder
from mnist_adder.safe_io import write_bytes

FOLDER = "checkpoints"  # in a run's folder


def last(run_folder: Path) -> Path:
    """The file of the last whole epoch."""
    return run_folder / FOLDER / "last.ckpt"


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes to a temporary name and renames it, which Lightning does not where /tmp is another disk."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write a checkpoint; the one before is left as it was if that fails."""
        content = io.BytesIO()
        torch.save(checkpoint, content)
        Path(path).parent.mkdir(exist_ok=True)
        write_bytes(Path(path), content.getvalue())


def progress(run_folder: Path) -> tuple[int, float]:
    """How many whole epochs a stopped run has trained, and the seconds they took.

    Raises:
        RunError: the checkpoint is damaged.
    """
    if not last(run_folder).exists():
        return 0, 0.0
    content = _read(last(run_folder))
    rows = content["callbacks"]["MetricsLogger"]["rows"]
    return content["epoch"] + 1, sum(row["seconds"] for row in rows)


def restore(model: Adder, path: Path) -> int:
    """Load a checkpoint's weights, averaged if they are, into the model; returns their epoch, from 1."""
    content = _read(path)
    model.load_state_dict(
        {name.removeprefix("model."): tensor for name, tensor in content["state_dict"].items()}
    )
    return int(content["epoch"]) + 1


def _read(path: Path) -> dict[str, Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of some files before it refuses them
            return dict(torch.load(path, weights_only=True, map_location="cpu"))
    except Exception:  # a damaged file may raise anything
        raise RunError(
            f"{path} is damaged. Delete {path.parent} to let the run begin again from the start."
        ) from None
