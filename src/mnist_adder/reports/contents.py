"""What a report needs of a run, read from its folder and checked before anything is drawn.

A Run comes in; Contents go out: its results, metrics, examples and the summary of its model. Neither the
dataset nor the weights are needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch

from mnist_adder import models
from mnist_adder.errors import RunError
from mnist_adder.evaluation.examples import Examples
from mnist_adder.models.summary import ModelSummary, summarize
from mnist_adder.reports.layers import Dependence, find_dependence
from mnist_adder.reproduce import train_command
from mnist_adder.runs import Run
from mnist_adder.types import DIGITS, NUMBERS, SIDE, SUMS

_ANY = -1  # as a length: whatever it is, but not nothing
_MOST = 1e15  # a count or a loss that is larger is none
_RESULTS: dict[str, tuple[int, ...]] = {
    # name: lengths of the lists, from the outside; () is a number from 0 to _MOST, or to 1 for _FRACTIONS
    **dict.fromkeys(["parameters", "multiply_adds", "epochs", "best_epoch", "train_seconds", "pairs"], ()),
    **dict.fromkeys([f"{what}_accuracy" for what in ("digit", "sum", "joint", "mean", "product")], ()),
    **dict.fromkeys(["digit_consistency", "inconsistency", "digit_loss", "sum_loss"], ()),
    **dict.fromkeys(["digit_calibration_error", "sum_calibration_error"], ()),
    **dict.fromkeys(["digit_reliability", "sum_reliability"], (_ANY, 3)),
    "joint_accuracy_by_number": (NUMBERS,),
    "digit_confusion": (DIGITS, DIGITS),
    "sum_confusion": (SUMS, SUMS),
}
_FRACTIONS = ("accuracy", "accuracy_by_number", "consistency", "inconsistency", "calibration_error")
_MEASURES = ["loss", "digit_loss", "sum_loss", "digit_accuracy", "sum_accuracy", "joint_accuracy"]
_EXAMPLES: dict[str, tuple[tuple[int, ...], torch.dtype, float]] = {
    # name: shape after the first axis, type, greatest value
    "images": ((SIDE, SIDE), torch.uint8, 255),
    "numbers": ((), torch.int64, NUMBERS - 1),
    "digits": ((), torch.int64, DIGITS - 1),
    "digit_probabilities": ((DIGITS,), torch.float32, 1.001),
    "sum_probabilities": ((SUMS,), torch.float32, 1.001),
}


@dataclass(frozen=True, kw_only=True)
class Contents:
    """One run, all that a report says of it."""

    run: Run
    results: dict[str, Any]
    metrics: list[dict[str, float]]
    samples: Examples
    mistakes: Examples
    summary: ModelSummary  # of one network, where several answer together
    dependence: Dependence  # of its layers and answers on the two inputs
    fusion: str  # how the inputs meet, in the model's words
    objective: str  # its losses, likewise
    sum_scores: int  # how many numbers its sum is read from


def load_contents(run: Run) -> Contents:
    """Read and check a run's files.

    Raises:
        RunError: a file is missing or damaged, or was written by a version that measured less.
        ModelError: its model is not one of this version.
    """
    results, metrics = run.results, _metrics(run)
    if not isinstance(results.get("command"), str):
        raise _too_old(run, "results.json", "command")
    for name, lengths in _RESULTS.items():
        if name not in results:
            raise _too_old(run, "results.json", name)
        most = 1 if name.endswith(_FRACTIONS) else _MOST
        if not _has_lengths(results[name], lengths, most) or not _is_drawable(name, results[name]):
            raise RunError(f"{run.folder / 'results.json'} is damaged: {name} is not what it should be.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # the weights do not matter, but the same report should come out each time
        model = models.build(run.config.model, run.config.preset).eval()
        summary, dependence = summarize(model), find_dependence(model)
    with torch.no_grad():
        outputs = model(torch.zeros(1, 1, SIDE, SIDE), torch.zeros(1, dtype=torch.int64))
    return Contents(
        run=run,
        results=results,
        metrics=metrics,
        samples=_examples(run, "sample_"),
        mistakes=_examples(run, "mistake_"),
        summary=summary,
        dependence=dependence,
        fusion=model.fusion,
        objective=model.objective,
        sum_scores=outputs.sum_scores.shape[1],
    )


def parts(rows: Sequence[Mapping[str, float]]) -> list[Literal["train", "validation"]]:
    """Of what the rows of a metrics.csv tell: a run that was trained on all images held none out."""
    return ["train", "validation"] if "validation_loss" in rows[0] else ["train"]


def _metrics(run: Run) -> list[dict[str, float]]:
    path = run.folder / "metrics.csv"
    rows = run.metrics
    if not rows:
        raise RunError(f"{path} is damaged: it has no row.")
    counted = [f"{part}_{measure}" for part in parts(rows) for measure in _MEASURES]
    for column in ["epoch", *counted, "learning_rate", "seconds"]:
        if column not in rows[0]:
            raise _too_old(run, path.name, column)
    return rows


def _examples(run: Run, prefix: str) -> Examples:
    tensors = run.examples
    path = run.folder / "examples.safetensors"
    for name, (shape, dtype, most) in _EXAMPLES.items():
        if f"{prefix}{name}" not in tensors:
            raise _too_old(run, path.name, f"{prefix}{name}")
        tensor = tensors[f"{prefix}{name}"]
        if tensor.dtype != dtype or tensor.shape != (len(tensors[f"{prefix}images"]), *shape):
            raise RunError(f"{path} is damaged: {prefix}{name} has a wrong shape or type.")
        if not bool(((tensor >= 0) & (tensor <= most)).all()):  # no number fails both
            raise RunError(f"{path} is damaged: {prefix}{name} has values out of range.")
    return Examples.from_tensors(tensors, prefix)


def _is_drawable(name: str, value: Any) -> bool:
    """What lengths do not say: fractions beside counts, and what something is divided by."""
    if name.endswith("_reliability"):  # rows of answers, confidence, accuracy
        return all(max(fractions) <= 1 for _, *fractions in value) and any(count for count, *_ in value)
    return value >= 1 if name in ("pairs", "epochs") else True


def _has_lengths(value: object, lengths: Sequence[int], most: float) -> bool:
    if not lengths:
        return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most
    return (
        isinstance(value, list)
        and len(value) > 0
        and lengths[0] in (_ANY, len(value))
        and all(_has_lengths(item, lengths[1:], most) for item in value)
    )


def _too_old(run: Run, file: str, name: str) -> RunError:
    return RunError(
        f"{run.folder / file} has no {name}: an older version of mnist-adder wrote it. "
        f"Train the run anew: {train_command(run.config)}"
    )
