"""Several runs: each has a name of its own, and what does not compare is said."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from mnist_adder.reports.compose import run_labels
from mnist_adder.reports.contents import Contents
from mnist_adder.runs import Run


def variant(contents: Contents, folder: str, **changed: Any) -> Contents:
    config = dataclasses.replace(contents.run.config, **changed)
    return dataclasses.replace(contents, run=Run(Path(folder), config))


def test_a_label_is_as_short_as_can_be(contents: Contents) -> None:
    exact, learned = variant(contents, "a"), variant(contents, "b", model="learned-sum")
    assert run_labels([exact]) == ["exact-sum"]
    assert run_labels([exact, learned]) == ["exact-sum", "learned-sum"]
    assert run_labels([exact, variant(contents, "c", seed=1), learned]) == [
        "exact-sum, seed 0",
        "exact-sum, seed 1",
        "learned-sum",
    ]
    assert run_labels([exact, variant(contents, "c", dataset="mnist")]) == [
        "exact-sum on digits",
        "exact-sum on mnist",
    ]


def test_preset_and_ensemble_are_part_of_the_name(contents: Contents) -> None:
    fast = variant(contents, "b", preset="fast")
    five = variant(contents, "c", ensemble_size=5)
    assert run_labels([variant(contents, "a"), fast, five]) == [
        "exact-sum",
        "exact-sum (fast)",
        "5 × exact-sum",
    ]


def test_labels_are_never_the_same(contents: Contents) -> None:
    runs = [variant(contents, "x/a"), variant(contents, "x/b"), variant(contents, "y/b")]
    assert len(set(run_labels(runs))) == 3
