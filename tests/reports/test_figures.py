"""Figures: every value of the run's files is there, told apart by more than colour, and legible."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from mnist_adder.examples import Examples
from mnist_adder.reports.figures import (
    accuracy_curves,
    answers,
    learning_rate_curve,
    loss_curves,
    range_test,
    reliability,
)
from mnist_adder.reports.run_files import RunFiles

Legible = Callable[[Figure], list[str]]
Rows = list[dict[str, float]]
CURVES = [accuracy_curves, loss_curves, learning_rate_curve]


@pytest.fixture
def metrics(files: RunFiles) -> Rows:
    return files.metrics


def without_validation(rows: Rows) -> Rows:
    return [{name: value for name, value in row.items() if "validation" not in name} for row in rows]


@pytest.mark.parametrize(
    ("draw", "columns"),
    [
        (accuracy_curves, ["digit_accuracy", "sum_accuracy", "joint_accuracy"]),
        (loss_curves, ["loss", "digit_loss", "sum_loss"]),
    ],
)
def test_curves_have_the_values_of_the_metrics(
    draw: Callable[..., Figure], columns: list[str], metrics: Rows, legible: Legible
) -> None:
    figure = draw({"": metrics})
    for axes, column in zip(figure.axes, columns, strict=True):
        for line, part in zip(axes.get_lines(), ("train", "validation"), strict=True):
            assert list(np.asarray(line.get_ydata())) == [row[f"{part}_{column}"] for row in metrics]
    train, validation = figure.axes[0].get_lines()
    assert train.get_linestyle() != validation.get_linestyle()
    assert train.get_marker() != validation.get_marker()
    assert train.get_color() != validation.get_color()
    assert {"training", "validation", "epoch"} <= set(legible(figure))


def test_the_learning_rate_is_that_of_the_metrics(metrics: Rows, legible: Legible) -> None:
    figure = learning_rate_curve({"": metrics})
    (line,) = figure.axes[0].get_lines()
    assert list(np.asarray(line.get_ydata())) == [row["learning_rate"] for row in metrics]
    assert figure.axes[0].get_ylim()[0] == 0
    legible(figure)


@pytest.mark.parametrize("draw", CURVES)
def test_runs_are_laid_over_one_another_each_with_its_name(
    draw: Callable[..., Figure], metrics: Rows, legible: Legible
) -> None:
    longer = [*metrics, {**metrics[-1], "epoch": metrics[-1]["epoch"] + 1}]
    names = [f"argmax-regression (tiny-5k), seed {place}" for place in range(6)]
    figure = draw({name: longer if place == 1 else metrics for place, name in enumerate(names)})
    lines = figure.axes[0].get_lines()
    assert len(lines) == (6 if draw is learning_rate_curve else 12)
    assert len({(line.get_color(), line.get_marker()) for line in lines}) == 6
    assert figure.axes[0].get_xlim() == (0.5, longer[-1]["epoch"] + 0.5)
    assert set(names) <= set(legible(figure))


@pytest.mark.parametrize("draw", CURVES)
def test_a_single_epoch_and_perfect_or_lost_values_can_be_drawn(
    draw: Callable[..., Figure], metrics: Rows, legible: Legible
) -> None:
    row = {**metrics[0], "train_digit_accuracy": 1.0, "validation_sum_accuracy": 0.0}
    row |= {"train_loss": math.nan, "train_digit_loss": 0.0, "learning_rate": 0.0}
    legible(draw({"": [row]}))


@pytest.mark.parametrize("draw", [accuracy_curves, loss_curves])
def test_training_alone_says_why(draw: Callable[..., Figure], metrics: Rows, legible: Legible) -> None:
    figure = draw({"": without_validation(metrics)})
    assert all(len(axes.get_lines()) == 1 for axes in figure.axes)
    words = legible(figure)
    assert "validation" not in words
    assert "training; no images were held out" in words


def test_a_run_without_validation_beside_one_with_it(metrics: Rows, legible: Legible) -> None:
    figure = accuracy_curves({"one": metrics, "other": without_validation(metrics)})
    assert all(len(axes.get_lines()) == 3 for axes in figure.axes)
    assert {"one", "other", "training", "validation"} <= set(legible(figure))


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
    low, high = axes.get_ylim()
    assert low < 0.3 < 2.3 < high < 20, "the fall must not be flattened by what follows it"
    words = legible(figure)
    assert {f"suggested: {suggestion:.2g}", "learning-rate range test: exact-sum on digits"} <= set(words)


def test_reliability_shows_the_bins_that_have_answers(files: RunFiles, legible: Legible) -> None:
    bins = {"digit": files.results.digit_reliability, "sum": files.results.sum_reliability}
    figure = reliability(bins)
    for axes, rows in zip(figure.axes, bins.values(), strict=True):
        points, _, (bars,) = axes.containers[0].lines  # type: ignore[attr-defined]
        assert np.allclose(points.get_xydata(), [row[1:] for row in rows if row[0]])
        for (_, accuracy), ((_, low), (_, high)) in zip(
            points.get_xydata(), bars.get_segments(), strict=True
        ):
            assert 0 <= low <= accuracy <= high <= 1
    assert {"digit", "sum", "confidence", "accuracy"} <= set(legible(figure))


def test_all_answers_in_every_bin_or_in_none(legible: Legible) -> None:
    full = [(90_000.0, (place + 0.5) / 15, 1.0) for place in range(15)]
    legible(reliability({"digit": full, "sum": [(0.0, 0.0, 0.0)] * 15}))


def made_up(*pairs: tuple[int, int, int, int]) -> Examples:
    """Examples with these numbers, true digits, digits and sums answered, each with probability 0.75."""
    count = len(pairs)
    numbers, digits, said_digits, said_sums = torch.tensor(pairs).T
    rows = torch.arange(count)
    digit_probabilities, sum_probabilities = torch.zeros(count, 10), torch.zeros(count, 19)
    digit_probabilities[rows, said_digits] = 0.75
    sum_probabilities[rows, said_sums] = 0.75
    return Examples(
        images=torch.randint(256, (count, 28, 28), dtype=torch.uint8),
        numbers=numbers,
        digits=digits,
        digit_probabilities=digit_probabilities,
        sum_probabilities=sum_probabilities,
    )


def test_an_answer_has_its_probability_and_a_wrong_one_a_cross_and_the_truth(legible: Legible) -> None:
    pairs = [(7, 5, 5, 12), (7, 5, 3, 10), (7, 5, 5, 11), (7, 5, 3, 12), (9, 9, 0, 18)]
    words = legible(answers(made_up(*pairs)))
    assert [word for word in words if word.startswith(("truth", "✓"))] == [
        "✓ right",
        "truth: 5, 12",
        "truth: 5, 12; 5 + 7 ≠ 11",
        "truth: 5, 12; 3 + 7 ≠ 12",
        "truth: 9, 18; 0 + 9 ≠ 18",
    ]
    crossed = [word.removeprefix("✗\u2009") for word in words if word.startswith("✗")]
    assert crossed == ["3,", "10", "11", "3,", "0,"]
    assert words.count("75.0\u00a0%") == 10
    assert words.count("+ 7 →") == 4


def test_the_images_are_the_examples_own(files: RunFiles) -> None:
    drawn = [image.get_array() for image in answers(files.samples).axes[0].get_images()]
    for found, image in zip(drawn, files.samples.images, strict=True):
        assert np.array_equal(np.asarray(found)[..., 3], image.numpy())  # as opaque as the pixel is bright


def test_the_widest_answers_fit(legible: Legible) -> None:
    legible(answers(made_up(*[(9, 8, 9, 10)] * 24)))
