"""Figures that compare models: what accuracy costs in parameters and in seconds.

One row a model comes in, with mean and standard deviation over its seeds; a Figure goes out.
"""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from mnist_adder.evaluation.compare import Row
from mnist_adder.reports.scales import log_axis, stretch_accuracy
from mnist_adder.reports.style import INK, MARKERS, PAPER, SERIES, panels, styled


@styled
def accuracy_against_parameters(rows: Sequence[Row]) -> Figure:
    """Joint accuracy against the number of parameters; bars are one standard deviation over the seeds."""
    return _scatter(rows, [row.parameters for row in rows], "parameters, on a logarithmic scale")


@styled
def accuracy_against_seconds(rows: Sequence[Row]) -> Figure:
    """Joint accuracy against the mean seconds of training; bars are one standard deviation over the seeds."""
    return _scatter(
        rows, [row.train_seconds_mean for row in rows], "seconds of training, on a logarithmic scale"
    )


def _scatter(rows: Sequence[Row], positions: Sequence[float], title: str) -> Figure:
    figure, (axes,) = panels(1, 4.4, top=0.35)
    for place, (row, position) in enumerate(zip(rows, positions, strict=True)):
        axes.errorbar(
            position,
            row.joint_accuracy_mean,
            yerr=row.joint_accuracy_std,
            color=SERIES[place % len(SERIES)],
            marker=MARKERS[place % len(MARKERS)],
            markersize=8,
            capsize=4,
            elinewidth=1.4,
            label=row.model,
        )
    ends = [row.joint_accuracy_mean + sign * row.joint_accuracy_std for row in rows for sign in (-1, 1)]
    log_axis(axes, "x", positions)
    stretch_accuracy(axes, ends)
    axes.set_title("digit and sum both right: mean and standard deviation over the seeds")
    axes.set_xlabel(title)
    _name_points(figure, axes, [row.model for row in rows], positions, rows)
    return figure


def _name_points(
    figure: Figure, axes: Axes, names: Sequence[str], positions: Sequence[float], rows: Sequence[Row]
) -> None:
    """Write each name beside its point, where it covers no other name, point or bar."""
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    taken = [
        _around(axes, x, row.joint_accuracy_mean, row.joint_accuracy_std)
        for x, row in zip(positions, rows, strict=True)
    ]
    inside = axes.get_window_extent(renderer)
    for name, x, row in zip(names, positions, rows, strict=True):
        text = axes.annotate(
            name,
            (x, row.joint_accuracy_mean),
            xytext=(0, 0),
            textcoords="offset points",
            va="center",
            color=INK,
            bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.5, "alpha": 0.8},
        )
        for side, across, up in _places():
            text.set(horizontalalignment=side, position=(across, up))
            box = text.get_window_extent(renderer).expanded(1.02, 1.15)
            if _contains(inside, box) and not any(box.overlaps(other) for other in taken):
                break
        taken.append(box)


def _places() -> list[tuple[str, float, float]]:
    """Where a name may stand, the best first: (alignment, points across, points up)."""
    beside = [("left", 9.0, 0.0), ("right", -9.0, 0.0)]
    near = [
        (side, across, sign * 10.0) for sign in (1, -1) for side, across in (("left", 9.0), ("right", -9.0))
    ]
    far = [("center", 0.0, sign * up) for up in (14.0, 24.0, 34.0, 46.0, 60.0) for sign in (1, -1)]
    return [*beside, *near, *far]


def _around(axes: Axes, x: float, mean: float, std: float) -> Bbox:
    """The part of the figure that a point and its bar cover, in pixels."""
    (left, low), (right, high) = axes.transData.transform([(x, mean - std), (x, mean + std)])
    pad = 7 * axes.figure.dpi / 72
    return Bbox([[left - pad, low - pad], [right + pad, high + pad]])


def _contains(outer: Bbox, inner: Bbox) -> bool:
    return bool(
        outer.x0 <= inner.x0 and inner.x1 <= outer.x1 and outer.y0 <= inner.y0 and inner.y1 <= outer.y1
    )
