"""The look of every figure: one palette, one type, one way to write percent.

Nothing comes in; colours, a decorator for functions that draw, and small helpers go out. The other files
of this room draw with them; ``render`` turns each colour of ``COLOURS`` into a CSS variable, so that one
picture serves a light page, a dark page and paper.

Matplotlib is used through ``Figure`` alone, never through pyplot: no window system, no figures that stay
open. Its settings are global, so they are changed only while a figure is drawn, by one thread at a time.
"""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Callable, Sequence
from typing import ParamSpec, TypeVar

import matplotlib
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

P = ParamSpec("P")
T = TypeVar("T")

COLOURS: dict[str, tuple[str, str]] = {
    # name: (on paper, on a dark screen). The first must differ from each other: they are replaced by name.
    "paper": ("#ffffff", "#16181c"),
    "ink": ("#1c1e21", "#e8e9eb"),
    "muted": ("#5b626b", "#a3aab4"),
    "grid": ("#dfe2e6", "#34383f"),
    "blue": ("#0072b2", "#45a5e6"),
    "vermillion": ("#d55e00", "#f58a4b"),
    "green": ("#009e73", "#2fc19a"),
    "purple": ("#cc79a7", "#e09cc3"),
    "orange": ("#e69f00", "#f2bb45"),
    "sky": ("#56b4e9", "#8fd0f7"),
    "blue-tint": ("#e4f0f8", "#152f42"),
    "orange-tint": ("#fcf1da", "#40310f"),
    "green-tint": ("#dff3ec", "#10382d"),
    "tile": ("#f5f4f1", "#dcdbd6"),  # what a digit is written on, light on both: its ink is black
    "mistake-1": ("#feeddf", "#33241a"),
    "mistake-2": ("#fdd0a2", "#55351d"),
    "mistake-3": ("#fdae6b", "#7d471b"),
    "mistake-4": ("#fd8d3c", "#c46c22"),
    "mistake-5": ("#ea6118", "#ef8d38"),
    "mistake-6": ("#8c2d04", "#ffcf9c"),
    # What is written on the six: dark on light, light on dark.
    "on-mistake-1": ("#1c1e22", "#e8e9ec"),
    "on-mistake-2": ("#1c1e23", "#e8e9ed"),
    "on-mistake-3": ("#1c1e24", "#e8e9ee"),
    "on-mistake-4": ("#1c1e25", "#111214"),
    "on-mistake-5": ("#1c1e26", "#111215"),
    "on-mistake-6": ("#fffffe", "#111216"),
}
"""The lines' colours are Okabe and Ito's, which people of every colour vision can tell apart."""

PAPER, INK, MUTED, GRID = (COLOURS[name][0] for name in ("paper", "ink", "muted", "grid"))
BLUE, VERMILLION, GREEN = (COLOURS[name][0] for name in ("blue", "vermillion", "green"))
ORANGE, PURPLE, SKY, TILE = (COLOURS[name][0] for name in ("orange", "purple", "sky", "tile"))
SERIES = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, INK)
"""For things of one kind, in this order; each has its own of MARKERS as well."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

WIDTH = 9.0
"""Inches, of every figure: as wide as the page's text, so that all type comes out in one size."""
SMALL, NORMAL, LARGE = 7.5, 9.0, 10.5
"""Sizes of type, in points."""

_SETTINGS: dict[str, object] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib, so every machine draws the same
    "font.size": NORMAL,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": LARGE,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": NORMAL,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "lines.linewidth": 1.8,
    "lines.markersize": 4.5,
    "legend.frameon": False,
    "legend.fontsize": SMALL,
    "image.composite_image": False,  # images keep their own pixels in an SVG
    "svg.fonttype": "none",  # real text: it can be searched and read aloud, and is a tenth of the size
    "svg.hashsalt": "mnist-adder",  # the same names of parts each time
}

_lock = threading.RLock()


def styled(draw: Callable[P, T]) -> Callable[P, T]:
    """Make ``draw`` run with our settings, whatever the user's own are; they are put back after it."""

    @functools.wraps(draw)
    def with_settings(*args: P.args, **kwargs: P.kwargs) -> T:
        with _lock, matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(_SETTINGS)  # type: ignore[arg-type]  # its keys are literals there
            return draw(*args, **kwargs)

    return with_settings


def panels(count: int, height: float, *, top: float = 0.55) -> tuple[Figure, list[Axes]]:
    """A figure with ``count`` axes side by side, with room for labels around them.

    Args:
        count: how many axes.
        height: of the figure, in inches.
        top: room above the axes, in inches: for their titles, and above those for a legend.
    """
    figure = Figure((WIDTH, height))
    left, right, bottom, gap = 0.68, 0.15, 0.52, 0.35
    width = (WIDTH - left - right - gap * (count - 1)) / count
    axes = [
        place_axes(figure, left + (width + gap) * place, bottom, width, height - bottom - top)
        for place in range(count)
    ]
    return figure, axes


def place_axes(figure: Figure, x: float, y: float, width: float, height: float) -> Axes:
    """Axes at a place in inches from the lower left corner, so that margins do not grow with a figure."""
    across, up = figure.get_size_inches()
    return figure.add_axes((x / across, y / up, width / across, height / up))


def legend(figure: Figure, handles: Sequence[Artist], labels: Sequence[str]) -> None:
    """A legend above the axes, from the left: there it hides no data. It needs ``legend_height``."""
    x, y = 0.6 / WIDTH, 1 - 0.04 / figure.get_figheight()
    columns = _legend_columns(labels)
    figure.legend(handles, labels, loc="upper left", ncols=columns, bbox_to_anchor=(x, y), borderaxespad=0)


def legend_height(labels: Sequence[str]) -> float:
    """Inches of height for a legend with these labels."""
    return 0.04 + 0.165 * -(-len(labels) // _legend_columns(labels))


def _legend_columns(labels: Sequence[str]) -> int:
    widest = 0.7 + 0.075 * max(map(len, labels), default=0)
    return max(1, min(int((WIDTH - 0.8) / widest), 4))


def percent(fraction: float, places: int = 2) -> str:
    """A fraction as percent: ``99.56 %``, with a space that does not break.

    What is below 1 is never rounded to 100 %: it is ``>99.99 %``.
    """
    text = f"{100 * fraction:.{places}f}"
    if fraction < 1 and float(text) >= 100:
        text = f">{100 - 10**-places:.{places}f}"
    return f"{text}\u00a0%"


def probability(value: float) -> str:
    """An answer's probability as percent; no answer is certain, so one that rounds to 1 is ``>99.9 %``."""
    return percent(min(value, math.nextafter(1.0, 0.0)), 1)
