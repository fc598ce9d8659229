"""Where each part of a network's drawing lies: inputs at the top, the fusion below, then the answers.

A Plan comes in; a Box for each of its spots goes out. All measures are inches, y downwards from the top.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from mnist_adder.reports.layers import describe
from mnist_adder.reports.plan import Lane, Plan, Spot, Step, leaves

GAP = 0.31
"""Between one box and the next: room for the shape beside the arrow."""
LINE = 0.15
"""Of small type."""
NARROW = 3.0
"""A narrower box has no room for the parameters beside the name."""
ANSWERS = 0.5
"""What the two answers need at the bottom."""

_SPANS: dict[Lane, tuple[float, float]] = {"image": (1.3, 5.1), "number": (5.5, 8.8), "both": (1.3, 8.8)}


@dataclass(frozen=True)
class Box:
    """A rectangle; ``top`` is nearer to 0 than ``bottom``."""

    middle: float
    width: float
    top: float
    bottom: float

    @property
    def left(self) -> float:
        """Its left edge."""
        return self.middle - self.width / 2

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.middle + self.width / 2


Boxes = dict[Spot, Box]


def arrange(plan: Plan, fusion: str) -> tuple[Boxes, float]:
    """Where each input, step and the fusion lie, and how high all is."""
    boxes: Boxes = {}
    bottoms = []
    for lane in ("image", "number"):
        left, right = _SPANS[lane]
        boxes[Spot(lane, None)] = Box((left + right) / 2, 1.7, 0.12, 0.5)
        bottoms.append(_place_lane(plan, lane, 0.5, boxes))
    left, right = _SPANS["both"]
    top = max(bottoms) + GAP
    bottom = top + 0.42 + LINE * len(wrap(fusion, 100))
    boxes[Spot("both", None)] = Box((left + right) / 2, right - left, top, bottom)
    bottom = _place_lane(plan, "both", bottom, boxes)
    return boxes, bottom + GAP + ANSWERS


def _place_lane(plan: Plan, lane: Lane, bottom: float, boxes: Boxes) -> float:
    """Put a lane's steps below one another, those that follow the same one side by side."""
    steps = plan.lanes[lane]
    depths: list[int] = []
    for step in steps:
        depths.append(0 if step.follows is None else depths[step.follows] + 1)
    columns = _columns(steps)
    left, right = _SPANS[lane]
    share = (right - left) / max(len(leaves(steps)), 1)
    width = min(3.6, share - 0.1)
    for depth in range(max(depths, default=-1) + 1):
        row = [place for place in range(len(steps)) if depths[place] == depth]
        top = bottom + GAP
        bottom = top + max(_height(steps[place], width) for place in row)
        for place in row:
            middle = left + share * (columns[place] + 0.5)
            boxes[Spot(lane, place)] = Box(middle, width, top, top + _height(steps[place], width))
    return bottom


def _columns(steps: list[Step]) -> list[float]:
    """Across: an end has a column of its own, what leads to several lies in their middle."""
    ends = leaves(steps)
    columns = [0.0] * len(steps)
    for place in range(len(steps) - 1, -1, -1):
        after = [columns[other] for other, step in enumerate(steps) if step.follows == place]
        columns[place] = sum(after) / len(after) if after else float(ends.index(place))
    return columns


def _height(step: Step, width: float) -> float:
    return 0.27 + LINE * len(rest(step, width))


def rest(step: Step, width: float) -> list[str]:
    """What belongs to a step after its first layer, in lines that fit a box of this width."""
    names = [describe(layer) for layer in step.layers[1:]]
    lines = wrap("then " + ", ".join(names), int(width * 15)) if names else []
    return [*lines, parameters(step)] if width < NARROW and step.parameters else lines


def parameters(step: Step) -> str:
    """How many it has, in words."""
    return f"{step.parameters:,} parameter{'s' if step.parameters != 1 else ''}"


def wrap(text: str, width: int) -> list[str]:
    """Text in lines of at most so many characters; at least one line."""
    return textwrap.wrap(text, width, break_long_words=True) or [""]
