"""Figures of training: accuracy, loss and learning rate by epoch, and the learning-rate range test.

The rows of one or several runs' ``metrics.csv`` come in under their labels; a Figure goes out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mnist_adder.reports.contents import parts
from mnist_adder.reports.scales import epoch_axis, log_axis, plain, stretch_accuracy
from mnist_adder.reports.style import (
    BLUE,
    INK,
    MARKERS,
    MUTED,
    SERIES,
    VERMILLION,
    legend,
    legend_height,
    panels,
    styled,
)

Rows = Sequence[Mapping[str, float]]
_PARTS = {"train": "training, dashed", "validation": "validation, solid"}
_ALONE = "training, dashed; no validation: all images are trained on"
_STYLES: dict[str, dict[str, Any]] = {
    "train": {"linestyle": (0, (4, 2)), "linewidth": 1.3, "markerfacecolor": "none"},
    "validation": {"linestyle": "-"},
}


@styled
def accuracy_curves(metrics: Mapping[str, Rows]) -> Figure:
    """Accuracy of the digit, the sum and both by epoch, in training (dashed) and validation (solid).

    Args:
        metrics: each run's rows, under the run's label; a single run needs no label and shows none. One that
            held no images out has no validation line.
    """
    figure, axes = _three_panels(metrics)
    names = {"digit_accuracy": "digit", "sum_accuracy": "sum", "joint_accuracy": "both on the same pair"}
    for place, (column, title) in enumerate(names.items()):
        _draw_parts(axes[place], metrics, column, title)
        stretch_accuracy(axes[place], _values(metrics, names))
        if place:
            axes[place].tick_params(labelleft=False)
    _legend(figure, axes[0], metrics)
    return figure


@styled
def loss_curves(metrics: Mapping[str, Rows]) -> Figure:
    """The weighted loss and its two parts by epoch, in training (dashed) and validation (solid).

    Args:
        metrics: as for :func:`accuracy_curves`.
    """
    figure, axes = _three_panels(metrics)
    names = {"loss": "the loss that is minimised", "digit_loss": "digit's part", "sum_loss": "sum's part"}
    for place, (column, title) in enumerate(names.items()):
        _draw_parts(axes[place], metrics, column, title)
        log_axis(axes[place], "y", _values(metrics, names))
        if place:
            axes[place].tick_params(labelleft=False)
    _legend(figure, axes[0], metrics)
    return figure


@styled
def learning_rate_curve(metrics: Mapping[str, Rows]) -> Figure:
    """The learning rate at the end of each epoch.

    Args:
        metrics: as for :func:`accuracy_curves`.
    """
    top = 0.35 + (legend_height(list(metrics)) if len(metrics) > 1 else 0)
    figure, (axes,) = panels(1, 2.05 + top, top=top)
    for place, (label, rows) in enumerate(metrics.items()):
        axes.plot(
            [row["epoch"] for row in rows],
            [row["learning_rate"] for row in rows],
            color=_colour(place, metrics),
            marker=MARKERS[place % len(MARKERS)],
            markevery=_marked(metrics),
            label=label,
            clip_on=False,
        )
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(lambda value, _: plain(value))
    axes.set_title("learning rate at the end of each epoch")
    epoch_axis(axes, _epochs(metrics))
    if len(metrics) > 1:
        legend(figure, axes.get_lines(), list(metrics))
    return figure


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
    figure, (axes,) = panels(1, 4.0)
    axes.plot(learning_rates, losses, color=MUTED, linewidth=0.8, alpha=0.5, label="loss of each step")
    axes.plot(learning_rates, smoothed_losses, color=BLUE, linewidth=2.4, label="smoothed")
    axes.axvline(suggestion, color=VERMILLION, linestyle=(0, (5, 2)), linewidth=1.6)
    log_axis(axes, "x", [*learning_rates, suggestion])
    known = [loss for loss in smoothed_losses if math.isfinite(loss)] or [1.0]
    low, high = min(known), max(known)
    if known[0] > low:  # what it rises to at the end may be any number; the fall is what is looked at
        high = min(high, low + 2.5 * (known[0] - low))
    room = 0.12 * (high - low or 1)
    # A step here and there may explode; the smoothed line is what is read, so it sets the scale.
    axes.set_ylim(low - room, high + 2.5 * room)
    first, last = axes.get_xlim()
    on_the_left = math.log(suggestion / first) > 0.5 * math.log(last / first)
    axes.annotate(
        f"suggested: {suggestion:.2g}",
        (suggestion, 1),
        xycoords=axes.get_xaxis_transform(),
        xytext=(-6 if on_the_left else 6, -6),
        textcoords="offset points",
        ha="right" if on_the_left else "left",
        va="top",
        color=INK,
        fontweight="bold",
    )
    axes.set_title(f"learning-rate range test: {title}")
    axes.set_xlabel("learning rate, on a logarithmic scale")
    axes.set_ylabel("loss of the digit")
    legend(figure, axes.get_lines()[:2], ["loss of each step", "smoothed"])
    return figure


def _three_panels(metrics: Mapping[str, Rows]) -> tuple[Figure, list[Axes]]:
    top = 0.36 + legend_height(_labels(metrics))
    return panels(3, 2.75 + top, top=top)


def _draw_parts(axes: Axes, metrics: Mapping[str, Rows], column: str, title: str) -> None:
    """One line for training and, where images were held out, one for validation of each run."""
    for place, (label, rows) in enumerate(metrics.items()):
        for part in parts(rows):
            axes.plot(
                [row["epoch"] for row in rows],
                [row[f"{part}_{column}"] for row in rows],
                color=_colour(place, metrics, part),
                marker=MARKERS[place % len(MARKERS)] if len(metrics) > 1 or part == "validation" else "s",
                markevery=_marked(metrics),
                label=f"{label} {part}",
                clip_on=False,
                **_STYLES[part],
            )
    axes.set_title(title)
    epoch_axis(axes, _epochs(metrics))


def _labels(metrics: Mapping[str, Rows]) -> list[str]:
    """What the legend says: what dashed and solid mean and, of several runs, which is which."""
    shown = _parts(metrics)
    meanings = list(_PARTS.values()) if "validation" in shown else [_ALONE]
    names = [label if parts(rows) == shown else f"{label}: no validation" for label, rows in metrics.items()]
    return [*(names if len(metrics) > 1 else ()), *meanings]


def _parts(metrics: Mapping[str, Rows]) -> list[str]:
    """What at least one of the runs has a line of."""
    return [part for part in _PARTS if any(part in parts(rows) for rows in metrics.values())]


def _legend(figure: Figure, axes: Axes, metrics: Mapping[str, Rows]) -> None:
    lines = {str(line.get_label()): line for line in axes.get_lines()}
    handles = list(lines.values())
    if len(metrics) > 1:
        grey = [Line2D([], [], color=MUTED, **_STYLES[part]) for part in _parts(metrics)]
        handles = [*(lines[f"{label} {parts(rows)[-1]}"] for label, rows in metrics.items()), *grey]
    legend(figure, handles, _labels(metrics))


def _colour(place: int, metrics: Mapping[str, Rows], part: str = "validation") -> str:
    """Each run's own; of a single run, training has another one than all else."""
    if len(metrics) > 1:
        return SERIES[place % len(SERIES)]
    return BLUE if part == "validation" else VERMILLION


def _values(metrics: Mapping[str, Rows], columns: Mapping[str, str]) -> list[float]:
    return [
        row[f"{part}_{column}"]
        for rows in metrics.values()
        for row in rows
        for column in columns
        for part in parts(rows)
    ]


def _marked(metrics: Mapping[str, Rows]) -> int:
    """Every how many epochs a line has its marker: more than some 25 would run into one another."""
    return max(1, _epochs(metrics) // 25)


def _epochs(metrics: Mapping[str, Rows]) -> int:
    return int(max(row["epoch"] for rows in metrics.values() for row in rows))
