"""Comparisons of real runs and of made-up results: means, deviations, order, and what is refused."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from mnist_adder.comparison.compare import compare
from mnist_adder.errors import RunError
from mnist_adder.runs import Run

Results = dict[str, Any]


def made_up(run: Run, **changed: Any) -> Results:
    return {**copy.deepcopy(run.results), **changed}


def pair(run: Run) -> list[Results]:
    """A learned sum beside a computed one; three seeds each."""
    runs = []
    for seed, jitter in enumerate((0.0, 0.0001, -0.0001)):
        accuracy = {"digit_accuracy": 0.99 + jitter, "seed": seed, "train_seconds": 10.0 + seed}
        exact = {"sum_accuracy": 0.99 + jitter, "joint_accuracy": 0.99 + jitter, "inconsistency": 0.0}
        learned = {"sum_accuracy": 0.97, "joint_accuracy": 0.97 - jitter, "inconsistency": 0.02}
        runs.append(made_up(run, model="learned-sum", **accuracy, **learned))
        runs.append(made_up(run, model="exact-sum", **accuracy, **exact))
    return runs


def test_means_and_deviations_are_those_of_the_runs_and_the_best_comes_first(trained_run: Run) -> None:
    comparison = compare(pair(trained_run))
    assert [row.model for row in comparison.rows] == ["exact-sum", "learned-sum"]
    exact, learned = comparison.rows
    assert exact.seeds == [0, 1, 2]
    assert exact.joint_accuracy_mean == pytest.approx(0.99)
    assert exact.joint_accuracy_std == pytest.approx(0.0001)
    assert exact.train_seconds_mean == pytest.approx(11)
    assert exact.train_seconds_std == pytest.approx(1)
    assert exact.parameters == trained_run.results["parameters"]
    assert exact.multiply_adds == 3_720_192
    assert learned.joint_accuracy_mean == pytest.approx(0.97)
    assert learned.joint_accuracy_std == pytest.approx(0.0001)
    assert (exact.inconsistency_mean, exact.inconsistency_std) == (0, 0)
    assert (learned.inconsistency_mean, learned.inconsistency_std) == pytest.approx((0.02, 0))
    assert comparison.protocol["pairs"] == trained_run.results["pairs"]


def test_one_run_alone_has_no_deviation(trained_run: Run) -> None:
    (row,) = compare([trained_run.results]).rows
    assert row.joint_accuracy_mean == trained_run.results["joint_accuracy"]
    assert row.joint_accuracy_std == 0


def test_presets_and_ensembles_of_a_model_have_rows_of_their_own(trained_run: Run) -> None:
    variants: list[Results] = [{}, {"preset": "tiny"}, {"preset": "tiny", "ensemble_size": 3}]
    accuracies = (0.96, 0.97, 0.98)
    runs = [
        made_up(trained_run, **variant, seed=seed, joint_accuracy=accuracy + seed / 100)
        for seed in (0, 1)
        for variant, accuracy in zip(variants, accuracies, strict=True)
    ]
    rows = compare(runs).rows
    assert [row.model for row in rows] == ["3 × exact-sum (tiny)", "exact-sum (tiny)", "exact-sum"]
    assert [row.joint_accuracy_mean for row in rows] == pytest.approx([0.985, 0.975, 0.965])
    assert [row.seeds for row in rows] == 3 * [[0, 1]]


def test_runs_that_cannot_be_compared_are_refused(trained_run: Run) -> None:
    others = [made_up(trained_run, model="learned-sum", seed=0, data_sha256="0" * 64)]
    with pytest.raises(RunError, match=r"learned-sum with seed 0 cannot be compared .* its data_sha256"):
        compare([trained_run.results, *others])
    with pytest.raises(RunError, match="no run to compare"):
        compare([])
