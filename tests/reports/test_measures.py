"""Accuracy by number and reliability: values, intervals, counts, and an honest axis."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.figure import Figure

from mnist_adder.reports.contents import Contents
from mnist_adder.reports.measures import accuracy_by_number, reliability, wilson

Legible = Callable[[Figure], list[str]]


def test_wilson_agrees_with_a_textbook() -> None:
    # 8 of 10: Agresti and Coull 1998, The American Statistician 52(2), give 0.49 .. 0.94.
    low, high = wilson(0.8, 10)
    assert (round(low, 2), round(high, 2)) == (0.49, 0.94)
    assert wilson(1.0, 360)[1] == 1
    assert wilson(0.0, 360)[0] == 0
    assert wilson(0.99, 100)[0] < wilson(0.99, 10_000)[0]


@pytest.mark.parametrize(
    "accuracies", [None, [0.9956] * 10, [1.0] * 10, [0.0] * 10, [place / 10 for place in range(10)]]
)
def test_each_number_has_its_accuracy(
    accuracies: list[float] | None, contents: Contents, legible: Legible
) -> None:
    accuracies = accuracies or contents.results["joint_accuracy_by_number"]
    figure = accuracy_by_number(accuracies, 3600)
    (axes,) = figure.axes
    (container,) = axes.containers
    points = container.lines[0]  # type: ignore[attr-defined]
    assert list(points.get_xdata()) == list(range(10))
    assert list(points.get_ydata()) == pytest.approx(accuracies)
    words = legible(figure)
    for accuracy in accuracies:
        assert f"{100 * accuracy:.2f}" in words
    low, high = axes.get_ylim()
    assert low <= min(accuracies) <= max(accuracies) <= high
    (said,) = [text for text in words if "begins at" in text]
    assert f"begins at {100 * low:.4g}\u00a0%" in said


def test_the_diagram_shows_the_bins_that_have_answers(contents: Contents, legible: Legible) -> None:
    results = contents.results
    bins = [results["digit_reliability"], results["sum_reliability"]]
    errors = (0.0123, 0.5341)
    figure = reliability(bins[0], bins[1], *errors)
    above_digit, below_digit, above_sum, below_sum = figure.axes
    for table, above, below in [(bins[0], above_digit, below_digit), (bins[1], above_sum, below_sum)]:
        seen = [row for row in table if row[0]]
        (container,) = above.containers
        points = np.asarray(container.lines[0].get_xydata())  # type: ignore[attr-defined]
        assert np.allclose(points, [row[1:] for row in seen])
        assert [bar.get_height() for bar in below.patches] == [row[0] for row in seen]  # type: ignore[attr-defined]
        assert [text.get_text() for text in below.texts] == [f"{row[0]:,.0f}" for row in seen]
        assert below.get_yscale() == "log"
    words = legible(figure)
    assert "digit: expected calibration error 1.23\u00a0%" in words
    assert "sum: expected calibration error 53.41\u00a0%" in words


def test_no_words_lie_where_points_may_lie() -> None:
    bins = [[10.0, (place + 0.5) / 15, 0.5] for place in range(15)]
    figure = reliability(bins, bins, 0.25, 0.25)
    for axes in (figure.axes[0], figure.axes[2]):
        (said,) = [text for text in axes.texts if "too sure" in text.get_text()]
        assert not said.get_window_extent().overlaps(axes.get_window_extent())


def test_all_answers_in_every_bin_or_in_one(legible: Legible) -> None:
    full = [[90_000.0, (place + 0.5) / 15, 1.0] for place in range(15)]
    one = [[0.0, 0.0, 0.0]] * 14 + [[100_000.0, 1.0, 1.0]]
    legible(reliability(full, one, 0.5, 0.0))
