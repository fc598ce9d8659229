"""The comparison and its words, from real runs and from results made up to say something known."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from mnist_adder.errors import RunError
from mnist_adder.evaluation.compare import compare, paired_difference
from mnist_adder.evaluation.findings import differ, findings
from mnist_adder.runs import Run

Results = dict[str, Any]


def made_up(run: Run, **changed: Any) -> Results:
    return {**copy.deepcopy(run.results), **changed}


def pair(run: Run) -> list[Results]:
    """A learned sum that errs on the sum 18 alone, beside a computed one; three seeds each."""
    runs = []
    for seed, jitter in enumerate((0.0, 0.0001, -0.0001)):
        accuracy = {"digit_accuracy": 0.99 + jitter, "seed": seed, "train_seconds": 10.0 + seed}
        exact = {"sum_accuracy": 0.99 + jitter, "joint_accuracy": 0.99 + jitter, "inconsistency": 0.0}
        runs.append(made_up(run, model="exact-sum", **accuracy, **exact))
        confusion = [[100 if row == column else 0 for column in range(19)] for row in range(19)]
        confusion[18] = [*17 * [0], 50, 50]
        learned = {
            "sum_accuracy": 0.97,
            "joint_accuracy": 0.97 - jitter,
            "inconsistency": 0.02,
            "inconsistency_by_number": [*9 * [0.0], 0.2],
            "sum_confusion": confusion,
        }
        runs.append(made_up(run, model="learned-sum", **accuracy, **learned))
    return runs


def test_means_and_deviations_are_those_of_the_runs(trained_run: Run) -> None:
    comparison = compare(pair(trained_run))
    assert [row.model for row in comparison.rows] == ["exact-sum", "learned-sum"]
    exact = comparison.rows[0]
    assert exact.seeds == [0, 1, 2]
    assert exact.joint_accuracy_mean == pytest.approx(0.99)
    assert exact.joint_accuracy_std == pytest.approx(0.0001)
    assert exact.train_seconds_mean == pytest.approx(11)
    assert exact.train_seconds_std == pytest.approx(1)
    assert exact.percent("joint_accuracy") == "99.00 ± 0.01"
    assert exact.percent("joint_accuracy", 3) == "99.000 ± 0.010"
    assert (exact.seconds(), exact.seconds(1)) == ("11 ± 1", "11.0 ± 1.0")
    assert exact.parameters == trained_run.results["parameters"]
    assert exact.multiply_adds == 3_720_192
    assert comparison.protocol["pairs"] == trained_run.results["pairs"]


def test_the_words_say_what_the_figures_say(trained_run: Run) -> None:
    said = {finding.question: finding.answer for finding in findings(compare(pair(trained_run)))}
    which = said["Which fusion works?"]
    assert which.startswith("`exact-sum` answers the most pairs right, 99.00 ± 0.01 %.")
    assert "Behind it by more than chance explains: `learned-sum` by 2.00 points." in which
    loses = said["Where does a learned sum lose against a computed one?"]
    assert "`learned-sum` is 2.00 points below `exact-sum`, more than chance explains" in loses
    assert "2.000 % of pairs with `learned-sum`; never with `exact-sum`" in loses
    assert "errs most on the sums 18 (50.00 %)" in loses
    inconsistencies = said["How often does a sum contradict the digit?"]
    assert inconsistencies.startswith("Never in `exact-sum`.")
    assert "2.000 ± 0.000 % (`learned-sum`)" in inconsistencies
    assert "most with the number 9 (20.00 %)" in inconsistencies


def test_one_run_alone_is_a_comparison_without_claims(trained_run: Run) -> None:
    comparison = compare([trained_run.results])
    (row,) = comparison.rows
    assert row.joint_accuracy_mean == trained_run.results["joint_accuracy"]
    assert row.joint_accuracy_std == 0
    said = " ".join(finding.answer for finding in findings(comparison))
    assert "chance" not in said
    assert "Never in `exact-sum`." in said


def test_level_models_are_called_level(trained_run: Run) -> None:
    runs = [
        made_up(trained_run, model=model, seed=seed, joint_accuracy=accuracy)
        for model, accuracies in (("exact-sum", (0.99, 0.98, 0.97)), ("learned-sum", (0.97, 0.985, 0.98)))
        for seed, accuracy in enumerate(accuracies)
    ]
    which = findings(compare(runs))[0].answer
    assert "`learned-sum` cannot be told from it with 3 seeds" in which


def test_chance_is_students() -> None:
    assert paired_difference([3, 4, 5], [1, 3, 2]) == pytest.approx((2, 1 / 3**0.5))
    assert not differ([3, 4, 5], [1, 3, 2])  # t = 3.46 < 4.30
    assert differ([3, 4, 5], [1, 2, 2.9])
    assert not differ([1], [0])


def test_runs_that_cannot_be_compared_are_refused(trained_run: Run) -> None:
    others = [made_up(trained_run, model="learned-sum", seed=0, data_sha256="0" * 64)]
    with pytest.raises(RunError, match=r"learned-sum with seed 0 cannot be compared .* its data_sha256"):
        compare([trained_run.results, *others])
    with pytest.raises(RunError, match="no run to compare"):
        compare([])
