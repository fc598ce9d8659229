"""The figures of a report: curves of training, calibration, sample answers; each a function of plain data."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from mnist_adder.examples import Examples
from mnist_adder.reports.axes import log_axis, plain, stretch_accuracy
from mnist_adder.reports.run_files import parts
from mnist_adder.reports.style import (
    BLUE,
    GRID,
    INK,
    LARGE,
    MARKERS,
    MUTED,
    SERIES,
    SMALL,
    TILE,
    VERMILLION,
    WIDTH,
    legend,
    panels,
    probability,
    styled,
)
from mnist_adder.reports.tables import wilson
from mnist_adder.types import NUMBERS, SIDE

Rows = Sequence[Mapping[str, float]]  # of a metrics.csv
Bins = Sequence[tuple[float, float, float]]  # answers, their mean confidence, their accuracy

_STYLES: dict[str, dict[str, Any]] = {
    "train": {"linestyle": (0, (4, 2)), "linewidth": 1.3, "markerfacecolor": "none"},
    "validation": {"linestyle": "-"},
}
_PARTS = {"train": "training", "validation": "validation"}
_COLUMNS = 4  # of sample answers
_CARD = (2.225, 0.84)  # width and height of one with the room to the next, inches
_IMAGE = 0.6  # inches


@styled
def accuracy_curves(runs: Mapping[str, Rows]) -> Figure:
    """Accuracy of the digit, the sum and both by epoch, in training (dashed) and validation (solid).

    Args:
        runs: the rows of each run under its label, which is not shown if there is one run alone. Where no
            images were held out there is no validation line.
    """
    titles = {"digit_accuracy": "digit", "sum_accuracy": "sum", "joint_accuracy": "both on the same pair"}
    return _curves(runs, titles, stretch_accuracy)


@styled
def loss_curves(runs: Mapping[str, Rows]) -> Figure:
    """The weighted loss and its two parts by epoch; see :func:`accuracy_curves`."""
    titles = {"loss": "the loss that is minimised", "digit_loss": "digit's part", "sum_loss": "sum's part"}
    return _curves(runs, titles, lambda axes, values: log_axis(axes, "y", values))


@styled
def learning_rate_curve(runs: Mapping[str, Rows]) -> Figure:
    """The learning rate at the end of each epoch; see :func:`accuracy_curves`."""
    labels = list(runs) if len(runs) > 1 else []
    figure, (axes,) = panels(1, 1.55, labels)
    for place, rows in enumerate(runs.values()):
        _draw(axes, rows, "learning_rate", _look(place, runs))
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(lambda value, _: plain(value))
    axes.set_title("learning rate at the end of each epoch")
    if labels:
        legend(figure, axes.get_lines(), labels)
    return figure


def _curves(
    runs: Mapping[str, Rows], titles: Mapping[str, str], scale: Callable[[Axes, list[float]], None]
) -> Figure:
    """A panel for each column of the metrics, all on one scale."""
    shown = [part for part in _PARTS if any(part in parts(rows) for rows in runs.values())]
    names = _PARTS if len(shown) > 1 else {"train": "training; no images were held out"}
    looks = {names[part]: _look(0, runs, part) for part in shown}
    if len(runs) > 1:  # each run's colour, and what dashed and solid mean
        looks = {label: _look(place, runs) for place, label in enumerate(runs)}
        looks |= {names[part]: {"color": MUTED, **_STYLES[part]} for part in shown}
    figure, panel = panels(len(titles), 2.25, looks)
    values = []
    for axes, (column, title) in zip(panel, titles.items(), strict=True):
        for place, rows in enumerate(runs.values()):
            for part in parts(rows):
                _draw(axes, rows, f"{part}_{column}", _look(place, runs, part))
                values += [row[f"{part}_{column}"] for row in rows]
        axes.set_title(title)
    for axes in panel:
        scale(axes, values)
        axes.tick_params(labelleft=axes is panel[0])
    legend(figure, [Line2D([], [], **look) for look in looks.values()], looks)
    return figure


def _look(place: int, runs: Mapping[str, Rows], part: str = "validation") -> dict[str, Any]:
    """How a run is drawn: each in its own colour; a single one's training in another than its validation."""
    series = place if len(runs) > 1 else int(part == "train")
    epochs = max(len(rows) for rows in runs.values())
    return {
        "color": SERIES[series % len(SERIES)],
        "marker": MARKERS[series % len(MARKERS)],
        "markevery": max(1, epochs // 25),  # more than some 25 would run into one another
        **_STYLES[part],
    }


def _draw(axes: Axes, rows: Rows, column: str, look: Mapping[str, Any]) -> None:
    epochs = [row["epoch"] for row in rows]
    axes.plot(epochs, [row[column] for row in rows], clip_on=False, **look)
    axes.set_xlim(0.5, max(epochs[-1] + 0.5, axes.get_xlim()[1]))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))
    axes.set_xlabel("epoch")
    axes.grid(False, axis="x")


@styled
def range_test(
    learning_rates: Sequence[float],
    losses: Sequence[float],
    smoothed_losses: Sequence[float],
    suggestion: float,
    title: str,
) -> Figure:
    """The learning-rate range test: the loss while the rate climbs, and the rate that is suggested.

    Args:
        learning_rates: of each step, climbing.
        losses: of each step, as measured.
        smoothed_losses: of each step, smoothed; where they fall and rise again is what the test is about.
        suggestion: the learning rate suggested.
        title: of the figure, such as "exact-sum on mnist".
    """
    labels = ["loss of each step", "smoothed", f"suggested: {suggestion:.2g}"]
    figure, (axes,) = panels(1, 2.9, labels)
    (measured,) = axes.plot(learning_rates, losses, color=MUTED, linewidth=0.8, alpha=0.5)
    (smoothed,) = axes.plot(learning_rates, smoothed_losses, color=BLUE, linewidth=2.4)
    suggested = axes.axvline(suggestion, color=VERMILLION, linestyle=(0, (5, 2)), linewidth=1.6)
    log_axis(axes, "x", [*learning_rates, suggestion])
    known = [loss for loss in smoothed_losses if math.isfinite(loss)] or [1.0]
    low, high = min(known), max(known)
    if known[0] > low:  # what it rises to at the end may be any number; the fall is what is looked at
        high = min(high, low + 2.5 * (known[0] - low))
    room = 0.12 * (high - low or 1)
    # A step here and there may explode; the smoothed line is what is read, so it sets the scale.
    axes.set_ylim(low - room, high + 2.5 * room)
    axes.set_title(f"learning-rate range test: {title}")
    axes.set_xlabel("learning rate, on a logarithmic scale")
    axes.set_ylabel("loss of the digit")
    legend(figure, [measured, smoothed, suggested], labels)
    return figure


@styled
def reliability(bins: Mapping[str, Bins]) -> Figure:
    """How often answers of each confidence are right, with 95 % intervals.

    Args:
        bins: under "digit" and "sum", for each bin of confidence its answers, their mean confidence and their
            accuracy. The intervals are those of a tenth as many: the ten pairs of an image are often right or
            wrong together.
    """
    figure, panel = panels(len(bins), 3.3)
    ticks = [0, 0.2, 0.4, 0.6, 0.8, 1]
    labels = [f"{100 * tick:.0f}\u00a0%" for tick in ticks]
    for axes, (what, rows) in zip(panel, bins.items(), strict=True):
        answers, confidence, accuracy = np.array([row for row in rows if row[0]]).reshape(-1, 3).T
        ends = [wilson(*each) for each in zip(accuracy, answers / NUMBERS, strict=True)]
        low, high = np.array(ends).reshape(-1, 2).T
        axes.plot([0, 1], [0, 1], color=MUTED, linestyle=(0, (5, 2)), linewidth=1.1)
        errors = [accuracy - low, high - accuracy]
        style: dict[str, Any] = {"marker": "o", "color": BLUE, "capsize": 2, "linewidth": 1.2}
        axes.errorbar(confidence, accuracy, yerr=errors, clip_on=False, **style)
        axes.set(title=what, xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="accuracy")
        axes.set(xticks=ticks, yticks=ticks, xticklabels=labels, yticklabels=labels)
    panel[-1].set(ylabel="", yticklabels=[])
    return figure


@styled
def answers(examples: Examples) -> Figure:
    """Pairs with what was answered and how surely; a wrong answer has a cross, and the truth below it."""
    count = len(examples.images)
    height = -(-count // _COLUMNS) * _CARD[1] + 0.1
    figure = Figure((WIDTH, height))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(height, 0), autoscale_on=False)
    axes.set_axis_off()
    for place in range(count):
        row, column = divmod(place, _COLUMNS)
        _draw_card(axes, examples, place, 0.05 + column * _CARD[0], 0.05 + row * _CARD[1])
    return figure


def _draw_card(axes: Axes, examples: Examples, place: int, x: float, y: float) -> None:
    """One pair, its upper left corner at (x, y): the image to the left, what was answered to the right."""
    number, digit = int(examples.numbers[place]), int(examples.digits[place])
    digits, sums = examples.digit_probabilities[place], examples.sum_probabilities[place]
    said_digit, said_sum = int(digits.argmax()), int(sums.argmax())
    wrong = (said_digit, said_sum) != (digit, digit + number)
    edge: dict[str, Any] = {"edgecolor": GRID, "linewidth": 0.8}
    if wrong:
        edge = {"edgecolor": VERMILLION, "linewidth": 1.6}
    axes.add_patch(Rectangle((x + 0.02, y + 0.02), _CARD[0] - 0.1, _CARD[1] - 0.1, facecolor="none", **edge))
    left, top = x + 0.07, y + 0.09
    ink = np.zeros((SIDE, SIDE, 4), dtype=np.uint8)  # black, as opaque as the pixel is bright
    ink[..., 3] = examples.images[place].numpy()
    axes.add_patch(Rectangle((left, top), _IMAGE, _IMAGE, facecolor=TILE, edgecolor="none"))
    axes.imshow(
        ink, extent=(left, left + _IMAGE, top + _IMAGE, top), interpolation="none", aspect="auto", zorder=2
    )
    axes.text(x + 0.91, y + 0.23, f"+ {number} →", ha="center", va="center", size=LARGE)
    _draw_answer(axes, x + 1.41, y, f"{said_digit},", float(digits.max()), right=said_digit == digit)
    _draw_answer(axes, x + 1.89, y, f"{said_sum}", float(sums.max()), right=said_sum == digit + number)
    told = "✓ right"
    if wrong:
        told = f"truth: {digit}, {digit + number}"
        told += f"; {said_digit} + {number} ≠ {said_sum}" if said_digit + number != said_sum else ""
    axes.text(x + 0.73, y + 0.635, told, ha="left", va="center", size=SMALL, color=INK if wrong else MUTED)


def _draw_answer(axes: Axes, x: float, y: float, said: str, how_sure: float, *, right: bool) -> None:
    """An answer above its probability; a wrong one is told by its cross and weight as well as its colour."""
    style: dict[str, Any] = {"color": INK} if right else {"color": VERMILLION, "weight": "bold"}
    text = said if right else f"✗\u2009{said}"
    axes.text(x, y + 0.23, text, ha="center", va="center", size=LARGE + 2, **style)
    axes.text(x, y + 0.44, probability(how_sure), ha="center", va="center", size=SMALL - 0.5, color=MUTED)
