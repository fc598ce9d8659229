"""The drawing of a network: two lanes, one for each input, the place where they meet, two answers.

All measures are inches, y downwards from the top.
"""

from __future__ import annotations

import textwrap

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path as Line

from mnist_adder.models.summary import ModelSummary
from mnist_adder.reports.layers import Dependence, describe
from mnist_adder.reports.layout import ANSWERS, GAP, LINE, NARROW, Box, Boxes, arrange, parameters, rest, wrap
from mnist_adder.reports.plan import Lane, Plan, Spot, Step, leaves, make_plan
from mnist_adder.reports.style import (
    BLUE,
    COLOURS,
    GREEN,
    INK,
    MUTED,
    NORMAL,
    ORANGE,
    PAPER,
    SMALL,
    WIDTH,
    styled,
)

_BYPASS = 0.6  # where a digit that needs no number goes down, past the fusion
_EDGES = {"image": BLUE, "number": ORANGE, "both": GREEN}
_FACES = {
    lane: COLOURS[f"{tint}-tint"][0]
    for lane, tint in {"image": "blue", "number": "orange", "both": "green"}.items()
}


@styled
def network(summary: ModelSummary, dependence: Dependence, fusion: str) -> Figure:
    """Draw a model from its two inputs at the top to its two answers at the bottom.

    Args:
        summary: from :func:`mnist_adder.models.summary.summarize`.
        dependence: from :func:`mnist_adder.reports.layers.find_dependence`.
        fusion: how the two inputs meet, in the model's own words.
    """
    plan = make_plan(summary, dependence)
    boxes, height = arrange(plan, fusion)
    figure = Figure((WIDTH, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(height, 0))
    axes.set_axis_off()
    for spot, box in boxes.items():
        if spot.step is not None:
            _draw_step(axes, box, spot.lane, plan.lanes[spot.lane][spot.step])
    _draw_input(axes, boxes[Spot("image", None)], "image", "1 × 28 × 28")
    _draw_input(axes, boxes[Spot("number", None)], "number", "0 … 9")
    _draw_fusion(axes, boxes[Spot("both", None)], fusion)
    _draw_arrows(axes, plan, boxes)
    _draw_answers(axes, plan, boxes, height)
    return figure


def _draw_box(axes: Axes, box: Box, face: str, edge: str, thickness: float = 1.0) -> None:
    axes.add_patch(
        FancyBboxPatch(
            (box.left, box.top),
            box.width,
            box.bottom - box.top,
            boxstyle="round,pad=0,rounding_size=0.06",
            facecolor=face,
            edgecolor=edge,
            linewidth=thickness,
        )
    )


def _draw_step(axes: Axes, box: Box, lane: Lane, step: Step) -> None:
    _draw_box(axes, box, _FACES[lane], _EDGES[lane])
    name = describe(step.layers[0])
    said = parameters(step) if step.parameters and box.width >= NARROW else ""
    name = textwrap.shorten(name, int((box.width - 0.2) * 12) - len(said), placeholder=" …")
    y = box.top + 0.135
    axes.text(box.left + 0.1, y, name, ha="left", va="center", size=NORMAL - 0.5, weight="bold")
    if said:
        axes.text(box.right - 0.1, y, said, ha="right", va="center", size=SMALL - 0.5, color=MUTED)
    for place, line in enumerate(rest(step, box.width)):
        y = box.top + 0.32 + LINE * place
        axes.text(box.left + 0.1, y, line, ha="left", va="center", size=SMALL, color=INK)


def _draw_input(axes: Axes, box: Box, name: str, values: str) -> None:
    _draw_box(axes, box, PAPER, _EDGES[name], 1.8)
    y = (box.top + box.bottom) / 2
    axes.text(box.left + 0.14, y, name, ha="left", va="center", weight="bold")
    axes.text(box.right - 0.12, y, values, ha="right", va="center", size=SMALL, color=MUTED)


def _draw_fusion(axes: Axes, box: Box, fusion: str) -> None:
    _draw_box(axes, box, PAPER, INK, 2.2)
    axes.text(box.middle, box.top + 0.19, "here the two inputs meet", ha="center", va="center", weight="bold")
    for place, line in enumerate(wrap(fusion, 100)):
        y = box.top + 0.4 + LINE * place
        axes.text(box.middle, y, line, ha="center", va="center", size=NORMAL - 0.5)


def _draw_arrows(axes: Axes, plan: Plan, boxes: Boxes) -> None:
    fusion = boxes[Spot("both", None)]
    for lane, steps in plan.lanes.items():
        for place, step in enumerate(steps):
            _draw_arrow(axes, boxes[Spot(lane, step.follows)], boxes[Spot(lane, place)])
    for spot in (plan.meets_from_image, plan.meets_from_number):
        box = boxes[spot]
        if spot.step is not None and spot.step not in leaves(plan.lanes[spot.lane]):
            side = box.right + 0.2  # past the steps that follow as well
            y = (box.top + box.bottom) / 2
            _draw_line(axes, [(box.right, y), (side, y), (side, fusion.top)])
        else:
            _draw_line(axes, [(box.middle, box.bottom), (box.middle, fusion.top)])
    for spot, box in boxes.items():
        if spot.step is not None:
            shape = " × ".join(map(str, plan.lanes[spot.lane][spot.step].output_shape))
            y = box.bottom + GAP * 0.35  # above the place where an arrow forks
            axes.text(box.middle + 0.1, y, shape, ha="left", va="center", size=SMALL - 0.5, color=MUTED)


def _draw_arrow(axes: Axes, upper: Box, lower: Box) -> None:
    """From below one box to above another, straight where they lie below one another."""
    start, end = (upper.middle, upper.bottom), (lower.middle, lower.top)
    if abs(start[0] - end[0]) < 0.01:
        _draw_line(axes, [start, end])
    else:
        between = lower.top - GAP * 0.4
        _draw_line(axes, [start, (start[0], between), (end[0], between), end])


def _draw_line(axes: Axes, points: list[tuple[float, float]]) -> None:
    axes.add_patch(
        FancyArrowPatch(
            path=Line(points),
            arrowstyle="-|>,head_length=0.35,head_width=0.2",
            mutation_scale=12,
            facecolor=MUTED,
            edgecolor=MUTED,
            linewidth=1.1,
            shrinkA=0,
            shrinkB=0,
            zorder=0.5,  # an edge of a box stays whole
        )
    )


def _draw_answers(axes: Axes, plan: Plan, boxes: Boxes, height: float) -> None:
    """The two answers, in one row at the bottom; a digit that needs no number goes past the fusion."""
    top, bottom = height - ANSWERS, height - 0.12
    digit, total = boxes[plan.digit], boxes[plan.sum]
    early = plan.digit.lane != "both"
    apart = 1.0 if plan.digit == plan.sum and not early else 0.0
    for name, values, source, box in [
        ("digit", "0 … 9", digit, Box(_BYPASS if early else digit.middle - apart, 1.1, top, bottom)),
        ("sum", "0 … 18", total, Box(total.middle + apart, 1.1, top, bottom)),
    ]:
        _draw_box(axes, box, PAPER, INK, 1.8)
        y = (top + bottom) / 2
        axes.text(box.left + 0.1, y, name, ha="left", va="center", weight="bold")
        axes.text(box.right - 0.1, y, values, ha="right", va="center", size=SMALL, color=MUTED)
        if name == "digit" and early:
            start = (source.top + source.bottom) / 2
            _draw_line(axes, [(source.left, start), (box.middle, start), (box.middle, top)])
        else:
            _draw_arrow(axes, source, box)
