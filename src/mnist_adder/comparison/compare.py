"""Comparing models: the results of finished runs, put side by side by model or preset."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mnist_adder.errors import RunError
from mnist_adder.run_config import network_name

# What all results must share to be compared.
_SAME = ("dataset", "data_sha256", "pairs", "device", "precision", "threads", "versions")
_MEASURES = ("digit_accuracy", "sum_accuracy", "joint_accuracy", "inconsistency", "train_seconds")


@dataclass(frozen=True, kw_only=True)
class Row:
    """A model or preset: means and standard deviations over its seeds, see :func:`mean_std`."""

    model: str  # as network_name has it: exact-sum, or exact-sum (tiny)
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


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Models side by side, the best joint accuracy first."""

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
    groups: dict[str, list[dict[str, Any]]] = {}
    for result in runs:
        _check_same_protocol(result, runs[0])
        groups.setdefault(network_name(result), []).append(result)
    rows = [_row(name, results) for name, results in groups.items()]
    return Comparison(
        rows=sorted(rows, key=lambda row: (-row.joint_accuracy_mean, row.model)),
        protocol={name: runs[0][name] for name in _SAME},
        commits=sorted({result["commit"] for result in runs if result["commit"]}),
        runs=list(runs),
    )


def mean_std(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation (n - 1); the deviation of a single value is given as 0."""
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0


def _check_same_protocol(result: dict[str, Any], first: dict[str, Any]) -> None:
    for name in _SAME:
        if result.get(name) != first.get(name):
            run, other = (f"{network_name(one)} with seed {one['seed']}" for one in (result, first))
            different = f"its {name} is {result.get(name)}, not {first.get(name)}"
            raise RunError(f"{run} cannot be compared with {other}: {different}.")


def _row(name: str, results: list[dict[str, Any]]) -> Row:
    figures: dict[str, float] = {}
    for measure in _MEASURES:
        mean_and_std = mean_std([result[measure] for result in results])
        figures[f"{measure}_mean"], figures[f"{measure}_std"] = mean_and_std
    return Row(
        model=name,
        seeds=[result["seed"] for result in results],
        epochs=results[0]["epochs"],
        parameters=results[0]["parameters"],
        multiply_adds=results[0]["multiply_adds"],
        **figures,
    )
