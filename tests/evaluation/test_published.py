"""The README's three sentences about the comparison: every name and figure in them is that of the results."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import ttest_rel

from mnist_adder import models

ROOT = Path(__file__).parent.parent.parent

Values = dict[str, list[float]]


def by_model(figure: Callable[[dict[str, Any]], float]) -> Values:
    """A figure in percent of each model's published runs, by seed."""
    values: Values = {name: [] for name in models.names()}
    for path in sorted((ROOT / "results" / "comparison" / "runs").glob("*.json")):
        results = json.loads(path.read_text())
        values[results["model"]].append(100 * figure(results))
    assert {len(seeds) for seeds in values.values()} == {3}
    return values


def descending(values: Values) -> dict[str, float]:
    """The models' means, the highest first."""
    means = {name: float(np.mean(seeds)) for name, seeds in values.items()}
    return dict(sorted(means.items(), key=lambda item: -item[1]))


def sentence(question: str) -> str:
    text = " ".join((ROOT / "README.md").read_text().split())
    (found,) = re.findall(rf"\*\*{re.escape(question)}\*\* (.*?\.)(?= - \*\*| Settings were)", text)
    return str(found)


def numbers(text: str) -> list[str]:
    return re.findall(r"\d+(?:\.\d+)?", text)


def names(text: str) -> list[str]:
    return re.findall(r"`(.+?)`", text)


@pytest.fixture(scope="module")
def joint() -> Values:
    return by_model(lambda results: results["joint_accuracy"])


def test_which_fusion_works(joint: Values) -> None:
    said, means = sentence("Which fusion works?"), descending(joint)
    published = {name: mean for name, mean in means.items() if models.get(name).source}
    assert list(means)[:2] == names(said) == ["exact-sum", "learned-sum"]
    assert set(means) == {*names(said), *published}
    lowest, highest = min(published.values()), max(published.values())
    figures = [means["exact-sum"], means["learned-sum"], lowest, highest]
    assert numbers(said) == [*(f"{figure:.2f}" for figure in figures), "0.05"]
    assert "three seeds cannot tell apart" in said
    assert "the four published models" in said
    assert len(published) == 4
    chance = {
        name: ttest_rel(joint["exact-sum"], joint[name]).pvalue for name in joint if name != "exact-sum"
    }
    assert {name for name, p in chance.items() if p < 0.05} == set(published)


def test_where_a_learned_sum_loses() -> None:
    said = sentence("Where does a learned sum lose?")
    lost = descending(by_model(lambda results: results["digit_accuracy"] - results["joint_accuracy"]))
    losing = [name for name in lost if lost[name]]
    assert names(said) == [*losing, "exact-sum", "argmax-regression"]
    assert not lost["exact-sum"]
    assert not lost["argmax-regression"]
    assert set(names(said)) == set(models.names())
    assert numbers(said) == [f"{lost[name]:.2f}" for name in losing]


def test_how_often_a_sum_contradicts_the_digit() -> None:
    said = sentence("How often does a sum contradict the digit?")
    inconsistent = by_model(lambda results: results["inconsistency"])
    never = {name for name, seeds in inconsistent.items() if not any(seeds)}
    worst, mean = next(iter(descending(inconsistent).items()))
    assert said.startswith("Never in ")
    assert set(names(said)[:-1]) == never
    assert names(said)[-1] == worst
    assert numbers(said) == [f"{mean:.2f}"]
