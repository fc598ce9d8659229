"""Curves: every series is there, with the values of metrics.csv and a look of its own."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.figure import Figure

from mnist_adder.reports.contents import Contents
from mnist_adder.reports.curves import accuracy_curves, learning_rate_curve, loss_curves, range_test

Legible = Callable[[Figure], list[str]]
Rows = list[dict[str, float]]


def series(figure: Figure) -> dict[tuple[str, str], list[float]]:
    """The values of each line, by the title of its axes and its own label."""
    return {
        (axes.get_title(loc="left"), str(line.get_label()).strip()): list(np.asarray(line.get_ydata(), float))
        for axes in figure.axes
        for line in axes.get_lines()
    }


@pytest.fixture
def metrics(contents: Contents) -> Rows:
    return contents.metrics


def test_accuracies_are_those_of_the_metrics(metrics: Rows, legible: Legible) -> None:
    figure = accuracy_curves({"": metrics})
    found = series(figure)
    for title, column in [("digit", "digit"), ("sum", "sum"), ("both on the same pair", "joint")]:
        for part in ("train", "validation"):
            assert found[title, part] == [row[f"{part}_{column}_accuracy"] for row in metrics]
    assert len(found) == 6
    words = legible(figure)
    assert {"training, dashed", "validation, solid", "epoch"} <= set(words)


def test_losses_are_those_of_the_metrics(metrics: Rows, legible: Legible) -> None:
    figure = loss_curves({"": metrics})
    found = series(figure)
    assert found["the loss that is minimised", "train"] == [row["train_loss"] for row in metrics]
    assert found["sum's part", "validation"] == [row["validation_sum_loss"] for row in metrics]
    assert len(found) == 6
    legible(figure)


def test_the_learning_rate_is_that_of_the_metrics(metrics: Rows, legible: Legible) -> None:
    figure = learning_rate_curve({"": metrics})
    ((_, values),) = series(figure).items()
    assert values == [row["learning_rate"] for row in metrics]
    assert figure.axes[0].get_ylim()[0] == 0
    legible(figure)


def test_training_and_validation_differ_in_more_than_colour(metrics: Rows) -> None:
    train, validation = accuracy_curves({"": metrics}).axes[0].get_lines()
    assert train.get_linestyle() != validation.get_linestyle()
    assert train.get_marker() != validation.get_marker()
    assert train.get_color() != validation.get_color()


@pytest.mark.parametrize("draw", [accuracy_curves, loss_curves, learning_rate_curve])
def test_runs_are_laid_over_one_another_each_with_its_name(
    draw: Callable[..., Figure], metrics: Rows, legible: Legible
) -> None:
    longer = [*metrics, {**metrics[-1], "epoch": metrics[-1]["epoch"] + 1}]
    names = [f"argmax-regression on digits, seed {place}" for place in range(6)]
    figure = draw({name: longer if place else metrics for place, name in enumerate(names)})
    lines = figure.axes[0].get_lines()
    assert len(lines) == (6 if draw is learning_rate_curve else 12)
    assert len({(line.get_color(), line.get_marker()) for line in lines}) == 6
    assert set(names) <= set(legible(figure))


def test_a_single_epoch_and_perfect_or_lost_values_can_be_drawn(metrics: Rows, legible: Legible) -> None:
    row = {**metrics[0], "train_digit_accuracy": 1.0, "validation_sum_accuracy": 0.0}
    row |= {"train_loss": math.nan, "train_digit_loss": 0.0, "learning_rate": 0.0}
    for draw in (accuracy_curves, loss_curves, learning_rate_curve):
        legible(draw({"": [row]}))


def without_validation(rows: Rows) -> Rows:
    return [{name: value for name, value in row.items() if "validation" not in name} for row in rows]


@pytest.mark.parametrize("draw", [accuracy_curves, loss_curves, learning_rate_curve])
def test_training_alone_says_why(draw: Callable[..., Figure], metrics: Rows, legible: Legible) -> None:
    figure = draw({"": without_validation(metrics)})
    assert all(len(axes.get_lines()) == 1 for axes in figure.axes)
    words = legible(figure)
    assert "validation, solid" not in words
    if draw is not learning_rate_curve:
        assert "training, dashed; no validation: all images are trained on" in words


def test_a_run_without_validation_beside_one_with_it(metrics: Rows, legible: Legible) -> None:
    figure = accuracy_curves({"one": metrics, "other": without_validation(metrics)})
    assert {part for _, part in series(figure)} == {"one train", "one validation", "other train"}
    assert {"one", "other: no validation", "training, dashed", "validation, solid"} <= set(legible(figure))


@pytest.mark.parametrize("suggestion", [2e-4, 0.3])
def test_the_range_test_marks_its_suggestion(suggestion: float, legible: Legible) -> None:
    rates = list(np.geomspace(1e-5, 1, 50))
    losses = [2.3 - 2 * min(place / 30, 1) + 50 * max(0, place - 40) for place in range(50)]
    noisy = [loss + (-1) ** place * 0.2 for place, loss in enumerate(losses)]
    figure = range_test(rates, noisy, losses, suggestion, "exact-sum on digits")
    (axes,) = figure.axes
    raw, smoothed, mark = axes.get_lines()
    assert list(np.asarray(raw.get_ydata())) == noisy
    assert list(np.asarray(smoothed.get_ydata())) == losses
    assert list(np.asarray(mark.get_xdata())) == [suggestion] * 2
    assert axes.get_xscale() == "log"
    assert smoothed.get_linewidth() > 2 * raw.get_linewidth()
    low, high = axes.get_ylim()
    assert low < 0.3 < 2.3 < high < 20, "the fall must not be flattened by what follows it"
    words = legible(figure)
    assert f"suggested: {suggestion:.2g}" in words
    assert "learning-rate range test: exact-sum on digits" in words
