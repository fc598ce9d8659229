"""A run is a folder: its config, weights (safetensors and ONNX), metrics, results and examples.

Whoever has the folder has everything that is needed to repeat the run or to use what it learned.
"""

from __future__ import annotations

import csv
import io
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_adder.errors import ModelError, RunError
from mnist_adder.extras import naming_the_extra
from mnist_adder.safe_io import (
    in_short,
    misfit,
    read_json,
    read_tensors,
    read_text,
    unfinished,
    write_bytes,
    write_json,
    write_text,
)
from mnist_adder.types import SIDE

if TYPE_CHECKING:
    from torch import Tensor

    from mnist_adder.models import Adder
    from mnist_adder.run_config import RunConfig

RUNS = Path("runs")  # below the working directory
LOCK = ".lock"  # the file of a run folder by which a training keeps others out


@dataclass(frozen=True)
class Run:
    """One run folder; what it holds is read anew each time, and RunError says what is missing or damaged."""

    folder: Path
    config: RunConfig

    @classmethod
    def create(cls, folder: Path, config: RunConfig) -> Run:
        """Make the folder and write config.json; what a start that was killed has left there does not count.

        Raises:
            RunError: there is something in the folder already, or it cannot be made.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if set(folder.iterdir()) - {folder / LOCK, *unfinished(folder)}:
                raise RunError(f"{folder} is not empty. Name another folder with --run-dir.")
            write_json(folder / "config.json", config.to_json())
        except OSError as error:
            raise RunError(f"{folder} cannot be used as a run folder: {error.strerror}.") from None
        return cls(folder, config)

    @property
    def results(self) -> dict[str, Any]:
        """results.json: what was measured when training ended."""
        return read_json(self.folder / "results.json")

    @property
    def metrics(self) -> list[dict[str, float]]:
        """metrics.csv: a row an epoch; all values are finite."""
        path = self.folder / "metrics.csv"
        try:
            rows = csv.DictReader(io.StringIO(read_text(path)))
            metrics = [{name: float(value) for name, value in row.items()} for row in rows]
        except (ValueError, TypeError, csv.Error):  # TypeError: a row that is longer or shorter
            metrics = [{"": math.nan}]
        if not all(math.isfinite(value) for row in metrics for value in row.values()):
            raise RunError(f"{path} is damaged: not all of its values are numbers.")
        return metrics

    @property
    def examples(self) -> dict[str, Tensor]:
        """examples.safetensors: samples and mistakes; see :mod:`mnist_adder.examples`."""
        path = self.folder / "examples.safetensors"
        try:
            return read_tensors(path, "examples")
        except FileNotFoundError:
            ended = (self.folder / "results.json").exists()
            why = "weights of the package have none" if ended else "its training did not end"
            raise RunError(f"{self.folder} has no {path.name}: {why}.") from None

    def load_model(self) -> Adder:
        """The trained network, on the CPU, in evaluation mode."""
        from mnist_adder import models

        path = self.folder / "model.safetensors"
        try:
            weights = read_tensors(path, f"the weights of {self.config.network}")
            model = models.build(self.config.model, self.config.preset, self.config.ensemble_size).eval()
            wrong = misfit(weights, model.state_dict())
        except FileNotFoundError:
            raise RunError(f"{self.folder} has no model.safetensors: its training did not end.") from None
        except ModelError as error:
            wrong = in_short(error)
        if wrong:
            raise RunError(f"{path} does not hold the weights of {self.config.network}: {wrong}.")
        model.load_state_dict(weights)
        if not _answers_are_finite(model):
            raise RunError(f"{path} holds weights so large that the model's answers are not finite numbers.")
        return model

    def check_data(self, sha256: str, origin: str) -> None:
        """Raise RunError if the images with this checksum are not those the run was trained on."""
        if sha256 != self.config.data_sha256:
            raise RunError(
                f"{self.folder} was trained on {self.config.dataset} with checksum "
                f"{self.config.data_sha256[:12]}, but {origin} has {sha256[:12]}. "
                "Name the folder it was trained on by --data-dir."
            )

    def save_model(self, model: Adder) -> None:
        """Write model.safetensors."""
        from safetensors.torch import save

        weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
        write_bytes(self.folder / "model.safetensors", save(weights, {"model": self.config.model}))

    def save_metrics(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Write metrics.csv; all rows have the first one's columns."""
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_text(self.folder / "metrics.csv", text.getvalue())

    def save_examples(self, tensors: Mapping[str, Tensor]) -> None:
        """Write examples.safetensors."""
        from safetensors.torch import save

        write_bytes(self.folder / "examples.safetensors", save(dict(tensors)))

    def save_results(self, results: Mapping[str, Any]) -> None:
        """Write results.json."""
        write_json(self.folder / "results.json", results)


@naming_the_extra()
def load_run(folder: str | Path | None = None) -> Run:
    """Open a run folder; without one, the newest finished run below ``runs/``.

    Example: ``load_run("runs/exact-sum").results["joint_accuracy"]``

    Raises:
        RunError: there is no such run, or its config is not one of this version.
        MissingExtraError: PyTorch is not installed.
    """
    from mnist_adder.run_config import RunConfig

    path = latest_run() if folder is None else Path(folder)
    if not path.is_dir():
        raise RunError(f"There is no run folder {path}. Make one with: mnist-adder train")
    return Run(path, RunConfig.from_json(read_text(path / "config.json"), path / "config.json"))


def latest_run() -> Path:
    """The finished run below ``runs/`` whose results are the newest; RunError if there is none."""
    finished = sorted(RUNS.glob("*/results.json"), key=lambda path: path.stat().st_mtime)
    if not finished:
        raise RunError(f"There is no finished run in {RUNS.resolve()} yet. Make one with: mnist-adder train")
    return finished[-1].parent


def new_folder(name: str, seed: int) -> Path:
    """A folder below ``runs/`` that is not there yet, named after the network, the seed and the time."""
    stem = RUNS / f"{name}-seed{seed}-{datetime.now():%Y%m%d-%H%M%S}"
    folder, numbers = stem, itertools.count(2)
    while folder.exists():
        folder = stem.with_name(f"{stem.name}-{next(numbers)}")
    return folder


def _answers_are_finite(model: Adder) -> bool:
    """Whether a blank and a full image are answered by finite numbers: finite weights may still overflow."""
    import torch

    images = torch.stack([torch.zeros(1, SIDE, SIDE), torch.ones(1, SIDE, SIDE)])
    with torch.inference_mode():
        outputs = model(images, torch.tensor([0, 9]))
        answers = [outputs.digit_logits.softmax(1), model.sum_probabilities(outputs)]
    return all(bool(answer.isfinite().all()) for answer in answers)
