"""Scales show what they should: values keep their order, ticks are numbers that people write."""

from __future__ import annotations

import pytest
from matplotlib.figure import Figure

from mnist_adder.reports.axes import log_axis, plain, stretch_accuracy


def tick_labels(values: list[float]) -> list[str]:
    axes = Figure().add_subplot()
    stretch_accuracy(axes, values)
    return [text.get_text().replace("\u00a0", " ") for text in axes.get_yticklabels()]


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([0.96, 0.993], ["95 %", "98 %", "99 %", "99.5 %"]),
        ([0.1, 0.6], ["0 %", "50 %", "80 %"]),
        ([0.999, 1.0], ["99.9 %", "100 %"]),
        ([0.99, 0.99], ["99 %", "99.5 %"]),
        ([0.98, 0.9959], ["98 %", "99.8 %"]),
        ([0.9999], ["99.98 %", "99.99 %"]),
        ([1.0], ["99.8 %", "100 %"]),
        ([], ["0 %", "50 %"]),
    ],
)
def test_the_accuracy_axis_begins_below_and_ends_above_all_values(
    values: list[float], labels: list[str]
) -> None:
    found = tick_labels(values)
    assert (found[0], found[-1]) == (labels[0], labels[-1])
    assert set(labels) <= set(found)


def test_a_tenth_of_the_mistakes_is_always_the_same_way_up() -> None:
    axes = Figure().add_subplot()
    stretch_accuracy(axes, [0.5, 0.9995])
    places = [axes.transData.transform((0, value))[1] for value in (0.9, 0.99, 0.999)]
    assert places[1] - places[0] == pytest.approx(places[2] - places[1])
    assert axes.transData.inverted().transform((0, places[1]))[1] == pytest.approx(0.99)


@pytest.mark.parametrize("values", [[float("nan")], [0.5, float("nan"), 0.9]])
def test_values_that_are_no_numbers_do_no_harm(values: list[float]) -> None:
    assert tick_labels(values)


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([17_308, 6_772_272], ["20,000", "50,000", "100,000", "1 million", "5 million"]),
        ([47, 287], ["50", "100", "200"]),
        ([1e-5, 1.0], ["0.00001", "0.001", "1"]),
        ([0.0, 5.0], ["5"]),
    ],
)
def test_a_logarithmic_axis_has_plain_numbers(values: list[float], labels: list[str]) -> None:
    axes = Figure().add_subplot()
    log_axis(axes, "x", values)
    assert axes.get_xscale() == "log"
    found = [text.get_text().replace("\u00a0", " ") for text in axes.get_xticklabels()]
    assert set(labels) <= set(found)


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.02, "0.02"), (1e-6, "0.000001"), (2500, "2,500"), (1e-9, "1e-09")]
)
def test_plain(value: float, text: str) -> None:
    assert plain(value) == text
