"""The look of every figure: colours, type, size, a legend, percent; and a figure as a file.

Matplotlib is used through ``Figure`` alone, never through pyplot: no window system, no figures that stay
open. Its settings are global, so they are changed only while a figure is drawn, by one thread at a time.
Figures are drawn in the colours of paper; the page's CSS turns them round for a dark screen.
"""

from __future__ import annotations

import functools
import io
import math
import threading
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import ParamSpec, TypeVar

import matplotlib
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mnist_adder.errors import RunError
from mnist_adder.safe_io import write_bytes

P = ParamSpec("P")
T = TypeVar("T")

PAPER, INK, MUTED, GRID, TILE = "#ffffff", "#1c1e21", "#5b626b", "#dfe2e6", "#f5f4f1"
BLUE, VERMILLION, GREEN, ORANGE = "#0072b2", "#d55e00", "#009e73", "#e69f00"
SERIES = (BLUE, VERMILLION, GREEN, "#cc79a7", ORANGE, "#56b4e9", INK)
"""For things of one kind, in this order; Okabe and Ito's, for every colour vision."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""Each of SERIES has its own, as colour alone must not tell things apart."""

WIDTH = 9.0
"""Inches, of every figure: as wide as the page's text, so that all type comes out in one size."""
SMALL, NORMAL, LARGE = 7.5, 9.0, 10.5
"""Sizes of type, in points."""

_FONT = "DejaVu Sans"  # comes with matplotlib, so every machine draws the same
_SETTINGS: dict[str, object] = {
    "font.family": _FONT,
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
    "svg.fonttype": "none",  # real text, a tenth of the size of outlines
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


def panels(count: int, height: float, labels: Collection[str] = ()) -> tuple[Figure, list[Axes]]:
    """A figure with axes side by side, and room around them for titles, ticks and a legend.

    Args:
        count: how many axes.
        height: of the axes, in inches.
        labels: of the legend, if there is one.
    """
    left, right, bottom, gap = 0.68, 0.15, 0.52, 0.45  # inches, so that margins do not grow with a figure
    top = 0.35 + 0.165 * -(-len(labels) // _legend_columns(labels))
    figure = Figure((WIDTH, bottom + height + top))
    width = (WIDTH - left - right - gap * (count - 1)) / count
    across, up = width / WIDTH, height / figure.get_figheight()
    places = [(left + (width + gap) * place) / WIDTH for place in range(count)]
    return figure, [figure.add_axes((x, bottom / figure.get_figheight(), across, up)) for x in places]


def legend(figure: Figure, handles: Sequence[Artist], labels: Collection[str]) -> None:
    """A legend above the axes, from the left: there it hides no data. ``panels`` makes room for it."""
    x, y = 0.6 / WIDTH, 1 - 0.04 / figure.get_figheight()
    columns = _legend_columns(labels)
    figure.legend(handles, labels, loc="upper left", ncols=columns, bbox_to_anchor=(x, y), borderaxespad=0)


def _legend_columns(labels: Collection[str]) -> int:
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


@styled
def png(figure: Figure) -> bytes:
    """The figure as a PNG on white paper, 1296 pixels across; the same figure gives the same bytes."""
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=144, facecolor=PAPER, metadata={"Software": None})
    return buffer.getvalue()


@styled
def svg(figure: Figure) -> str:
    """The figure as an SVG file without a background; the same figure gives the same text."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    # Where the font is missing, one that is as wide takes its place, then any without serifs.
    return buffer.getvalue().replace(f"'{_FONT}'", f"'{_FONT}', Verdana, sans-serif")


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, whole or not at all; its folder is made if it is not there.

    Raises:
        RunError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, png(figure))
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror}.") from None
