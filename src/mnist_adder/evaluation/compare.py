"""Comparing models: what their runs have in common, how far chance goes, and what follows in words.

Results of finished runs come in, a Comparison goes out; reports write it down. Nothing is trained here.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mnist_adder.errors import RunError
from mnist_adder.runs import network_name

_SAME = ("dataset", "data_sha256", "pairs", "device", "precision", "threads", "versions")
"""What all results must share to be compared."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A model or preset: means over its seeds, and the standard deviations (n - 1), 0 for a single seed."""

    model: str  # or preset, as network_name says it
    seeds: list[int]
    epochs: int
    parameters: int
    multiply_adds: int  # of one pair
    digit_accuracy_mean: float
    digit_accuracy_std: float
    sum_accuracy_mean: float
    sum_accuracy_std: float
    joint_accuracy_mean: float
    joint_accuracy_std: float
    inconsistency_mean: float
    inconsistency_std: float
    train_seconds_mean: float
    train_seconds_std: float

    def percent(self, measure: str, places: int = 2) -> str:
        """A measure's mean and deviation in percent, as a person reads it: ``99.12 ± 0.03``.

        A single seed has no deviation: ``99.12``.
        """
        mean, std = getattr(self, f"{measure}_mean"), getattr(self, f"{measure}_std")
        return self._said(100 * mean, 100 * std, places)

    def seconds(self, places: int = 0) -> str:
        """Seconds of training, likewise."""
        return self._said(self.train_seconds_mean, self.train_seconds_std, places)

    def _said(self, mean: float, std: float, places: int) -> str:
        return plus_minus(mean, std, places) if len(self.seeds) > 1 else f"{mean:.{places}f}"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Models side by side, the best joint accuracy first, and what can be said of them."""

    rows: list[Row]
    protocol: dict[str, Any]  # what all runs share
    commits: list[str]  # of the source, as far as known
    runs: list[dict[str, Any]]  # the results themselves


def compare(runs: Sequence[dict[str, Any]]) -> Comparison:
    """Put the results of finished runs, each the content of a results.json, side by side.

    Raises:
        RunError: there are none, or they do not share data, machine and versions.
    """
    if not runs:
        raise RunError("There is no run to compare. Make some with: mnist-adder compare")
    first = runs[0]
    for result in runs:
        for name in _SAME:
            if result.get(name) != first.get(name):
                raise RunError(
                    f"{_name(result)} cannot be compared with {_name(first)}: its {name} is "
                    f"{result.get(name)}, not {first.get(name)}."
                )
    names = dict.fromkeys(network_name(result) for result in runs)
    rows = [_row(name, [result for result in runs if network_name(result) == name]) for name in names]
    return Comparison(
        rows=sorted(rows, key=lambda row: (-row.joint_accuracy_mean, row.model)),
        protocol={name: first[name] for name in _SAME},
        commits=sorted({result["commit"] for result in runs if result["commit"]}),
        runs=list(runs),
    )


def _name(result: dict[str, Any]) -> str:
    return f"{network_name(result)} with seed {result['seed']}"


def mean_std(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation (n - 1); the deviation of a single value is given as 0."""
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0


def plus_minus(mean: float, std: float, places: int) -> str:
    """The two beside one another, with so many decimal places."""
    return f"{mean:.{places}f} ± {std:.{places}f}"


def paired_difference(first: Sequence[float], second: Sequence[float]) -> tuple[float, float]:
    """Mean of ``first - second``, seed by seed, and its standard error; infinite for a single pair."""
    differences = [one - other for one, other in zip(first, second, strict=True)]
    mean, deviation = mean_std(differences)
    return mean, deviation / math.sqrt(len(differences)) if len(differences) > 1 else math.inf


def _row(name: str, results: list[dict[str, Any]]) -> Row:
    spread: dict[str, float] = {}
    for figure in ("digit_accuracy", "sum_accuracy", "joint_accuracy", "inconsistency", "train_seconds"):
        spread[f"{figure}_mean"], spread[f"{figure}_std"] = mean_std([result[figure] for result in results])
    first = results[0]
    return Row(
        model=name,
        seeds=[result["seed"] for result in results],
        epochs=first["epochs"],
        parameters=first["parameters"],
        multiply_adds=first["multiply_adds"],
        **spread,
    )
