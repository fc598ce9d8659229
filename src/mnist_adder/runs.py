"""A run is a folder: its config, weights (safetensors and ONNX), metrics, results and examples.

Training writes it; evaluation, prediction and reports read it. Whoever has the folder has everything
that is needed to repeat the run or to use what it learned.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mnist_adder.errors import ModelError, RunError
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

    from mnist_adder.models import Adder, Recipe

RUNS = Path("runs")
"""Where runs are put when no folder is named, below the working directory."""
MAX_ENSEMBLE_SIZE = 100
"""The largest ensemble."""


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Everything that is needed to repeat a run, and what it ran on.

    Raises:
        RunError: a value is not of its kind, as in a config that somebody else wrote.
    """

    model: str
    preset: str | None = None  # which network of the model, where it is not the model's own
    ensemble_size: int = 1  # of an ensemble; 1: a single network
    recipe: Recipe
    seed: int
    dataset: Literal["mnist", "digits"]
    data_sha256: str
    device: str  # in words, with the processor's or the card's name
    precision: Literal["32-true", "bf16-mixed"]  # as Lightning names it
    devices: int  # processes that trained together, on each node
    nodes: int = 1  # machines that trained together
    threads: int  # of each process
    versions: dict[str, str] = field(default_factory=dict)
    commit: str | None = None  # of the source, where it was a git checkout

    def __post_init__(self) -> None:
        self._check(("model", "data_sha256", "device"), _is_text, "a text")
        self._check(("preset", "commit"), lambda value: value is None or _is_text(value), "a text or none")
        self._check(
            ("ensemble_size",),
            lambda value: _is_whole(value, 1, MAX_ENSEMBLE_SIZE),
            f"1..{MAX_ENSEMBLE_SIZE}",
        )
        self._check(("devices", "nodes", "threads"), lambda value: _is_whole(value, 1), "1 or more")
        self._check(("seed",), lambda value: _is_whole(value, 0), "a whole number from 0 to 4294967295")
        self._check(("dataset",), lambda value: value in ("mnist", "digits"), "mnist or digits")
        self._check(("precision",), lambda value: value in ("32-true", "bf16-mixed"), "one that is known")
        self._check(("versions",), lambda value: isinstance(value, dict), "an object")

    def _check(self, names: Sequence[str], is_right: Callable[[Any], bool], kind: str) -> None:
        for name in names:
            if not is_right(getattr(self, name)):
                raise RunError(f"{name} is {getattr(self, name)!r:.40}, but must be {kind}.")

    @property
    def network(self) -> str:
        """What is trained, in short; see :func:`network_name`."""
        return network_name(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """The config as JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any], where: Path) -> RunConfig:
        """The config back from JSON values.

        Raises:
            RunError: a key is missing or unknown, a value not of its kind, or the recipe is not a recipe.
        """
        from mnist_adder.models import Recipe

        try:
            return cls(**{**values, "recipe": Recipe(**values["recipe"])})
        except (TypeError, KeyError, ModelError, RunError) as error:
            reason = in_short(error)
            raise RunError(f"{where} is not a config of this version of mnist-adder: {reason}.") from None


@dataclass(frozen=True)
class Run:
    """One run folder."""

    folder: Path
    config: RunConfig

    @classmethod
    def create(cls, folder: Path, config: RunConfig) -> Run:
        """Make the folder and write its config; what a start that was killed has left there does not count.

        Raises:
            RunError: there is something in the folder already, or it cannot be made.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if set(folder.iterdir()) - set(unfinished(folder)):
                raise RunError(f"{folder} is not empty. Name another folder with --run-dir.")
            write_json(folder / "config.json", config.to_json())
        except OSError as error:
            raise RunError(f"{folder} cannot be used as a run folder: {error.strerror}.") from None
        return cls(folder, config)

    @property
    def results(self) -> dict[str, Any]:
        """results.json: what was measured when training ended.

        Raises:
            RunError: training has not ended yet.
        """
        return read_json(self.folder / "results.json")

    @property
    def metrics(self) -> list[dict[str, float]]:
        """metrics.csv: a row an epoch.

        Raises:
            RunError: it is missing, or not all of its values are numbers and finite.
        """
        path = self.folder / "metrics.csv"
        rows = csv.DictReader(io.StringIO(read_text(path)))
        try:
            metrics = [{name: float(value) for name, value in row.items()} for row in rows]
        except (ValueError, TypeError, csv.Error):  # TypeError: a row that is longer or shorter
            metrics = [{"": math.nan}]
        if not all(math.isfinite(value) for row in metrics for value in row.values()):
            raise RunError(f"{path} is damaged: not all of its values are numbers.")
        return metrics

    def load_model(self) -> Adder:
        """The trained network, on the CPU, in evaluation mode.

        Raises:
            RunError: the weights are missing, damaged or those of another model.
        """
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
        if not _answers_in_numbers(model):
            raise RunError(f"{path} holds weights so large that nothing answered by them is a finite number.")
        return model

    @property
    def examples(self) -> dict[str, Tensor]:
        """examples.safetensors: samples and mistakes; see :mod:`mnist_adder.evaluation.examples`.

        Raises:
            RunError: training has not ended yet, or the file is damaged.
        """
        path = self.folder / "examples.safetensors"
        try:
            return read_tensors(path, "examples")
        except FileNotFoundError:
            ended = (self.folder / "results.json").exists()
            why = "it is kept without, as weights of the package are" if ended else "its training did not end"
            raise RunError(f"{self.folder} has no {path.name}: {why}.") from None

    def check_data(self, sha256: str, origin: str) -> None:
        """Refuse data that are not those the run was trained on.

        Raises:
            RunError: the checksums differ.
        """
        if sha256 != self.config.data_sha256:
            raise RunError(
                f"{self.folder} was trained on {self.config.dataset} with checksum "
                f"{self.config.data_sha256[:12]}, but {origin} has {sha256[:12]}. "
                "Name the folder it was trained on by --data-dir."
            )

    def save_model(self, model: Adder) -> None:
        """Write model.safetensors, whole or not at all."""
        from safetensors.torch import save

        weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
        write_bytes(self.folder / "model.safetensors", save(weights, {"model": self.config.model}))

    def save_metrics(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Write metrics.csv, whole or not at all; all rows have the first one's columns."""
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_text(self.folder / "metrics.csv", text.getvalue())

    def save_examples(self, tensors: Mapping[str, Tensor]) -> None:
        """Write examples.safetensors, whole or not at all."""
        from safetensors.torch import save

        write_bytes(self.folder / "examples.safetensors", save(dict(tensors)))

    def save_results(self, results: Mapping[str, Any]) -> None:
        """Write results.json, whole or not at all."""
        write_json(self.folder / "results.json", results)


def load_run(folder: str | Path | None = None) -> Run:
    """Open a run folder; without one, the newest finished run below ``runs/``.

    Example::

        run = load_run("runs/exact-sum")
        run.results["joint_accuracy"]

    Raises:
        RunError: there is no such run, or its config is not one of this version.
    """
    path = latest_run() if folder is None else Path(folder)
    if not path.is_dir():
        raise RunError(f"There is no run folder {path}. Make one with: mnist-adder train")
    config = read_json(path / "config.json")
    return Run(path, RunConfig.from_json(config, path / "config.json"))


def latest_run() -> Path:
    """The finished run below ``runs/`` whose results are the newest.

    Raises:
        RunError: there is none.
    """
    finished = sorted(RUNS.glob("*/results.json"), key=lambda path: path.stat().st_mtime)
    if not finished:
        raise RunError(f"There is no finished run in {RUNS.resolve()} yet. Make one with: mnist-adder train")
    return finished[-1].parent


def new_folder(model: str, seed: int) -> Path:
    """A folder below ``runs/`` that is not there yet, named after the model, the seed and the time."""
    stem = f"{model}-seed{seed}-{datetime.now():%Y%m%d-%H%M%S}"
    folder = RUNS / stem
    for again in range(2, 1000):
        if not folder.exists():
            break
        folder = RUNS / f"{stem}-{again}"
    return folder


def network_name(about: Mapping[str, Any]) -> str:
    """What was trained, in short, from a config's or a results' JSON: ``exact-sum (tiny)``, ``3 × ...``."""
    preset, members = about.get("preset"), about.get("ensemble_size", 1)
    name = about["model"] if preset is None else f"{about['model']} ({preset})"
    return name if members == 1 else f"{members} × {name}"


def _answers_in_numbers(model: Adder) -> bool:
    """Whether a blank and a full image are answered by finite numbers: finite weights may still overflow."""
    import torch

    images = torch.stack([torch.zeros(1, SIDE, SIDE), torch.ones(1, SIDE, SIDE)])
    with torch.inference_mode():
        outputs = model(images, torch.tensor([0, 9]))
        answers = [outputs.digit_logits.softmax(1), model.sum_probabilities(outputs)]
    return all(bool(answer.isfinite().all()) for answer in answers)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_whole(value: object, least: int, most: int = 2**32 - 1) -> bool:
    return type(value) is int and least <= value <= most
