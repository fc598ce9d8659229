"""Figures of the measures in ``results.json``: accuracy by number, and how far confidence can be trusted."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from mnist_adder.reports.style import BLUE, INK, MUTED, SKY, SMALL, WIDTH, panels, percent, place_axes, styled
from mnist_adder.types import NUMBERS

Bins = Sequence[Sequence[float]]


def wilson(accuracy: float, answers: float) -> tuple[float, float]:
    """The 95 % confidence interval of an accuracy that was counted over so many answers.

    Wilson's method stays within 0..1 and is right near 1, where the usual interval is not. scipy.stats has it
    for whole counts alone, and importing that takes 0.6 s; here the answers may be a tenth of a count of pairs.
    Source: Wilson 1927, Probable Inference, the Law of Succession, and Statistical Inference.
    """
    z = 1.96
    middle = (accuracy + z**2 / (2 * answers)) / (1 + z**2 / answers)
    spread = accuracy * (1 - accuracy) / answers + z**2 / (4 * answers**2)
    half = z * math.sqrt(spread) / (1 + z**2 / answers)
    # Rounding must not push the ends beyond 0 and 1, nor leave the accuracy itself outside.
    return max(0.0, min(middle - half, accuracy)), min(1.0, max(middle + half, accuracy))


@styled
def accuracy_by_number(accuracies: Sequence[float], pairs: int) -> Figure:
    """How often digit and sum are both right, for each number, with 95 % intervals.

    Points, not bars: the axis does not begin at 0, and says where it does.

    Args:
        accuracies: ten fractions, for the numbers 0..9.
        pairs: counted in all, a tenth of them for each number.
    """
    figure, (axes,) = panels(1, 3.3, top=0.4)
    mean = sum(accuracies) / len(accuracies)
    ends = [wilson(accuracy, pairs / len(accuracies)) for accuracy in accuracies]
    room = 0.25 * max(max(high for _, high in ends) - min(low for low, _ in ends), 0.001)
    bottom, top = min(low for low, _ in ends) - room, max(high for _, high in ends) + room
    bottom = max(0.0, math.floor(bottom * 1000) / 1000)
    axes.axhline(mean, color=MUTED, linestyle=(0, (5, 2)), linewidth=1.1)
    axes.errorbar(
        range(len(accuracies)),
        accuracies,
        yerr=[
            [accuracy - low for accuracy, (low, _) in zip(accuracies, ends, strict=True)],
            [high - accuracy for accuracy, (_, high) in zip(accuracies, ends, strict=True)],
        ],
        fmt="o",
        color=BLUE,
        markersize=6,
        capsize=3,
        elinewidth=1.2,
        clip_on=False,
    )
    for number, accuracy in enumerate(accuracies):
        axes.annotate(
            f"{100 * accuracy:.2f}", (number, accuracy), (7, 4), textcoords="offset points", size=SMALL
        )
    axes.set(xlim=(-0.5, len(accuracies) - 0.2), ylim=(bottom, top))
    axes.set_xticks(range(len(accuracies)))
    axes.grid(False, axis="x")
    axes.set_yticks(
        [tick for tick in MaxNLocator(nbins=6).tick_values(bottom, top) if bottom <= tick <= min(top, 1)]
    )
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g}\u00a0%"))
    axes.set_title(f"both right, by number; dashed: all numbers, {percent(mean)}", weight="normal")
    axes.set_xlabel(f"number (the axis beside begins at {100 * bottom:.4g}\u00a0%)")
    return figure


@styled
def reliability(digit_bins: Bins, sum_bins: Bins, digit_error: float, sum_error: float) -> Figure:
    """How often answers of each confidence are right, and how many there are; for the digit and the sum.

    Args:
        digit_bins: a row for each bin of confidence: answers, their mean confidence, their accuracy.
        sum_bins: the same for the sum.
        digit_error: expected calibration error, a fraction.
        sum_error: the same for the sum.
    """
    figure = Figure((WIDTH, 5.5))
    width = 3.6
    for place, (what, bins, error) in enumerate(
        [("digit", digit_bins, digit_error), ("sum", sum_bins, sum_error)]
    ):
        left = 0.68 + place * (width + 0.87)
        above = place_axes(figure, left, 2.05, width, 2.95)
        below = place_axes(figure, left, 0.52, width, 1.3)
        _draw_reliability(above, bins)
        above.set_title(f"{what}: expected calibration error {percent(error)}", pad=19)
        _draw_counts(below, bins)
    return figure


def _draw_reliability(axes: Axes, bins: Bins) -> None:
    axes.plot([0, 1], [0, 1], color=MUTED, linestyle=(0, (5, 2)), linewidth=1.1)
    seen = [
        # The ten pairs of an image are often right or wrong together, so images are what is counted here.
        (confidence, accuracy, wilson(accuracy, answers / NUMBERS))
        for answers, confidence, accuracy in bins
        if answers
    ]
    axes.errorbar(
        [confidence for confidence, _, _ in seen],
        [accuracy for _, accuracy, _ in seen],
        yerr=[
            [accuracy - low for _, accuracy, (low, _) in seen],
            [high - accuracy for _, accuracy, (_, high) in seen],
        ],
        fmt="o-",
        color=BLUE,
        markersize=5,
        capsize=2,
        elinewidth=1,
        linewidth=1.2,
        clip_on=False,
    )
    axes.set(xlim=(0, 1), ylim=(0, 1))
    # Outside: within, points and their bars may lie anywhere.
    said = "above the dashed line: too modest; below it: too sure"
    axes.annotate(said, (0, 1), (0, 7), "axes fraction", "offset points", size=SMALL, color=MUTED)
    axes.set_ylabel("accuracy")
    _percent_axes(axes, both=True)
    axes.tick_params(labelbottom=False)


def _draw_counts(axes: Axes, bins: Bins) -> None:
    """How many answers each bin has, on a logarithmic scale since nearly all are in the last one."""
    width = 1 / len(bins)
    most = max(answers for answers, *_ in bins)
    for place, (answers, *_) in enumerate(bins):
        if answers:
            axes.bar((place + 0.5) * width, answers, 0.86 * width, color=SKY)
            axes.annotate(
                f"{answers:,.0f}",
                ((place + 0.5) * width, answers),
                (0, 3),
                textcoords="offset points",
                ha="center",
                va="bottom",
                size=SMALL - 1,
                rotation=90,
                color=INK,
            )
    axes.set(xlim=(0, 1), yscale="log", ylim=(0.7, 400 * most))
    axes.set_ylabel("answers")
    axes.set_xlabel("confidence")
    axes.grid(False)
    axes.yaxis.set_minor_locator(NullLocator())
    axes.tick_params(left=False, labelleft=False)
    _percent_axes(axes, both=False)


def _percent_axes(axes: Axes, *, both: bool) -> None:
    for axis in (axes.xaxis, axes.yaxis) if both else (axes.xaxis,):
        axis.set_ticks([0, 0.2, 0.4, 0.6, 0.8, 1])
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f}\u00a0%"))
