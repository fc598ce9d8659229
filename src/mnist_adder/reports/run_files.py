"""What a report needs of a run, read from its folder and checked before anything is drawn.

Neither the dataset nor the weights are needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mnist_adder import models
from mnist_adder.errors import RunError
from mnist_adder.examples import Examples
from mnist_adder.models import Adder
from mnist_adder.models.recipe import explain
from mnist_adder.reproduce import train_command
from mnist_adder.runs import Run
from mnist_adder.safe_io import in_short, read_text
from mnist_adder.types import DIGITS, NUMBERS, SIDE, SUMS

_Count = Annotated[int, Field(ge=0, le=10**15)]
_AtLeastOne = Annotated[int, Field(ge=1, le=10**15)]
_Amount = Annotated[float, Field(ge=0, le=1e15)]
_Fraction = Annotated[float, Field(ge=0, le=1)]
_ByNumber = Annotated[list[_Fraction], Field(min_length=NUMBERS, max_length=NUMBERS)]
_DigitRow = Annotated[list[_Count], Field(min_length=DIGITS, max_length=DIGITS)]
_SumRow = Annotated[list[_Count], Field(min_length=SUMS, max_length=SUMS)]
_Bins = Annotated[list[tuple[_Amount, _Fraction, _Fraction]], Field(min_length=1)]

_MEASURES = ["loss", "digit_loss", "sum_loss", "digit_accuracy", "sum_accuracy", "joint_accuracy"]
_EXAMPLES: dict[str, tuple[tuple[int, ...], torch.dtype, float]] = {
    # name: shape after the first axis, type, greatest value
    "images": ((SIDE, SIDE), torch.uint8, 255),
    "numbers": ((), torch.int64, NUMBERS - 1),
    "digits": ((), torch.int64, DIGITS - 1),
    "digit_probabilities": ((DIGITS,), torch.float32, 1.001),
    "sum_probabilities": ((SUMS,), torch.float32, 1.001),
}


class Results(BaseModel):
    """The measured values of a results.json, see :class:`mnist_adder.evaluation.metrics.Metrics`."""

    model_config = ConfigDict(strict=True)

    command: str  # that repeats the run
    parameters: _Count
    multiply_adds: _Count
    epochs: _AtLeastOne
    best_epoch: _AtLeastOne
    train_seconds: _Amount
    pairs: _AtLeastOne
    digit_accuracy: _Fraction
    sum_accuracy: _Fraction
    joint_accuracy: _Fraction
    digit_consistency: _Fraction
    inconsistency: _Fraction
    digit_loss: _Amount
    sum_loss: _Amount
    digit_calibration_error: _Fraction
    sum_calibration_error: _Fraction
    digit_reliability: _Bins
    sum_reliability: _Bins
    joint_accuracy_by_number: _ByNumber
    inconsistency_by_number: _ByNumber
    digit_confusion: Annotated[list[_DigitRow], Field(min_length=DIGITS, max_length=DIGITS)]
    sum_confusion: Annotated[list[_SumRow], Field(min_length=SUMS, max_length=SUMS)]


@dataclass(frozen=True, kw_only=True)
class RunFiles:
    """One run, all that a report says of it."""

    run: Run
    results: Results
    metrics: list[dict[str, float]]
    samples: Examples
    mistakes: Examples
    model: Adder  # not trained; one network, where several answer together


def load_run_files(run: Run) -> RunFiles:
    """Read and check a run's files.

    Raises:
        RunError: a file is missing or damaged, or was written by a version that measured less.
        ModelError: its model is not one of this version.
    """
    with torch.random.fork_rng(devices=[]):  # the weights do not matter, and the user's random numbers stay
        model = models.build(run.config.model, run.config.preset).eval()
    return RunFiles(
        run=run,
        results=_results(run),
        metrics=_metrics(run),
        samples=_examples(run, "sample_"),
        mistakes=_examples(run, "mistake_"),
        model=model,
    )


def parts(rows: Sequence[Mapping[str, float]]) -> list[Literal["train", "validation"]]:
    """Of what the rows of a metrics.csv tell: a run that was trained on all images held none out."""
    return ["train", "validation"] if "validation_loss" in rows[0] else ["train"]


def _results(run: Run) -> Results:
    path = run.folder / "results.json"
    try:
        return Results.model_validate_json(read_text(path))
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "missing" and len(first["loc"]) == 1:
            raise _too_old(run, path.name, str(first["loc"][0])) from None
        raise RunError(f"{path} is damaged: {in_short(explain(error))}.") from None


def _metrics(run: Run) -> list[dict[str, float]]:
    path = run.folder / "metrics.csv"
    rows = run.metrics
    if not rows:
        raise RunError(f"{path} is damaged: it has no row.")
    measured = [f"{part}_{measure}" for part in parts(rows) for measure in _MEASURES]
    for column in ["epoch", *measured, "learning_rate"]:
        if column not in rows[0]:
            raise _too_old(run, path.name, column)
    return rows


def _examples(run: Run, prefix: str) -> Examples:
    path, tensors = run.folder / "examples.safetensors", run.examples
    for name, (shape, dtype, most) in _EXAMPLES.items():
        if f"{prefix}{name}" not in tensors:
            raise _too_old(run, path.name, f"{prefix}{name}")
        tensor = tensors[f"{prefix}{name}"]
        if tensor.dtype != dtype or tensor.shape != (len(tensors[f"{prefix}images"]), *shape):
            raise RunError(f"{path} is damaged: {prefix}{name} has a wrong shape or type.")
        if not bool(((tensor >= 0) & (tensor <= most)).all()):  # NaN fails both
            raise RunError(f"{path} is damaged: {prefix}{name} has values out of range.")
    return Examples.from_tensors(tensors, prefix)


def _too_old(run: Run, file: str, name: str) -> RunError:
    return RunError(
        f"{run.folder / file} has no {name}: an older version of mnist-adder wrote it. "
        f"Train the run again: {train_command(run.config)}"
    )
