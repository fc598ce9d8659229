"""Figures of what was mistaken for what: confusion matrices of digit and sum.

Counts come in, row = truth, column = answer; a Figure goes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mnist_adder.reports.style import COLOURS, INK, MUTED, NORMAL, SMALL, WIDTH, percent, place_axes, styled

Counts = Sequence[Sequence[int]]

LEVELS = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1)
"""Where each of the six shades begins: the fraction of a true class that is mistaken for another one.

They are the same in every report, so that two runs can be compared by eye, and each is some three times
the one before, as mistakes are rare: on a linear scale the diagonal would be all that is seen.
"""


@styled
def digit_confusion(counts: Counts) -> Figure:
    """How often each digit was answered for each true digit: 10 x 10 counts of pairs."""
    return _confusion(counts, "digit", cell=(0.68, 0.42), type_size=NORMAL)


@styled
def sum_confusion(counts: Counts) -> Figure:
    """How often each sum was answered for each true sum: 19 x 19 counts of pairs."""
    return _confusion(counts, "sum", cell=(0.395, 0.31), type_size=SMALL - 0.5)


def level(fraction: float) -> int:
    """Which shade, 1 to 6, a cell has whose count is this fraction of its row."""
    return sum(fraction >= start for start in LEVELS)


def _confusion(counts: Counts, what: str, cell: tuple[float, float], type_size: float) -> Figure:
    classes = len(counts)
    width, height = cell[0] * classes, cell[1] * classes
    figure = Figure((WIDTH, height + 1.35))
    axes = place_axes(figure, 0.62, 0.82, width, height)
    for truth, row in enumerate(counts):
        _draw_row(axes, truth, row, type_size)
    axes.text(classes - 0.38, -0.62, "right", ha="left", va="bottom", size=SMALL, color=MUTED)
    axes.set(xlim=(-0.5, classes - 0.5), ylim=(classes - 0.5, -0.5))
    axes.set_xticks(range(classes), labels=map(str, range(classes)))
    axes.set_yticks(range(classes), labels=map(str, range(classes)))
    axes.tick_params(
        length=0, labelsize=type_size + 1, top=True, labeltop=True, bottom=False, labelbottom=False
    )
    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.set_title(f"{what} answered", pad=6, weight="normal", size=NORMAL)
    axes.set_ylabel(f"true {what}")
    _draw_key(figure, width)
    return figure


def _draw_row(axes: Axes, truth: int, row: Sequence[int], type_size: float) -> None:
    total = sum(row)
    for answer, count in enumerate(row):
        right = answer == truth
        shade = level(count / total) if total else 1
        face = COLOURS["blue-tint"][0] if right else COLOURS[f"mistake-{shade}"][0]
        if right or count:
            axes.add_patch(
                Rectangle((answer - 0.47, truth - 0.46), 0.94, 0.92, facecolor=face, edgecolor="none")
            )
            ink = INK if right else COLOURS[f"on-mistake-{shade}"][0]
            axes.text(answer, truth, f"{count:,}", ha="center", va="center", color=ink, size=type_size)
    said = percent(row[truth] / total, 1) if total else "none"
    axes.text(len(row) - 0.38, truth, said, ha="left", va="center", color=MUTED, size=type_size)


def _draw_key(figure: Figure, width: float) -> None:
    """Below the matrix: what the shades mean."""
    axes = place_axes(figure, 0.62, 0.12, width, 0.5)
    axes.set(xlim=(0, 7), ylim=(0, 1))
    axes.set_axis_off()
    names = [f"{100 * start:g} – {100 * end:g}\u00a0%" for start, end in pairwise(LEVELS)]
    names = ["right", f"< {100 * LEVELS[1]:g}\u00a0%", *names[1:], f"≥ {100 * LEVELS[-1]:g}\u00a0%"]
    faces = ["blue-tint", *(f"mistake-{shade}" for shade in range(1, 7))]
    inks = ["ink", *(f"on-mistake-{shade}" for shade in range(1, 7))]
    for place, (name, face, ink) in enumerate(zip(names, faces, inks, strict=True)):
        axes.add_patch(Rectangle((place + 0.02, 0.0), 0.96, 0.5, facecolor=COLOURS[face][0]))
        axes.text(place + 0.5, 0.25, name, ha="center", va="center", size=SMALL, color=COLOURS[ink][0])
    text = "mistakes, shaded by the share of the row's pairs; empty cells are zero"
    axes.text(0.02, 0.62, text, ha="left", va="bottom", size=SMALL, color=MUTED)
