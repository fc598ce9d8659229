"""How a model hangs together: which step follows which, where the inputs meet, where the answers come out.

``drawing`` draws the plan. A step is a layer that computes, with what only shapes or normalises its output.

A ModelSummary has the layers' shapes and Dependence what each reads, not whose output it takes. That is
inferred here from the shapes: a layer follows the latest one, of those that read the same, whose output has
its input's shape. So two heads side by side are found; an addition across layers is not seen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Literal

from mnist_adder.models.summary import Layer, ModelSummary
from mnist_adder.reports.layers import Dependence, Reads
from mnist_adder.types import DIGITS

Lane = Literal["image", "number", "both"]
LANES: tuple[Lane, ...] = ("image", "number", "both")


@dataclass(frozen=True)
class Step:
    """A layer and those that belong to it."""

    layers: tuple[Layer, ...]
    follows: int | None  # the step in the same lane that feeds it; None: the lane's own input

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Of one pair, after its last layer."""
        return self.layers[-1].output_shape

    @property
    def parameters(self) -> int:
        """Of all its layers."""
        return sum(layer.parameters for layer in self.layers)


@dataclass(frozen=True)
class Spot:
    """A place in the plan: a step of a lane, or the lane's input where ``step`` is None.

    The input of ``both`` is the fusion itself.
    """

    lane: Lane
    step: int | None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The steps of each lane, in the order of their work, and what goes where."""

    lanes: dict[Lane, list[Step]] = field(default_factory=dict)
    meets_from_image: Spot  # what of the image's lane goes into the fusion
    meets_from_number: Spot
    digit: Spot  # where the digit comes out
    sum: Spot


def make_plan(summary: ModelSummary, dependence: Dependence) -> Plan:
    """Order a model's layers into lanes and steps."""
    lanes: dict[Lane, list[Step]] = {}
    for lane, layers in _by_lane(summary, dependence).items():
        lanes[lane] = _steps(layers)
    digit = _answer(lanes, dependence.digit, first=True)
    total = _answer(lanes, dependence.sum, first=False)
    features = [
        place for place, step in enumerate(lanes["image"]) if prod(step.output_shape) == summary.features
    ]
    return Plan(
        lanes=lanes,
        # A head that reads the image alone may come after the features; the fusion takes the features.
        meets_from_image=Spot("image", features[-1] if features else _last(lanes["image"])),
        meets_from_number=Spot("number", _last(lanes["number"])),
        digit=digit,
        sum=total,
    )


def leaves(steps: list[Step]) -> list[int]:
    """The steps that no other one follows."""
    followed = {step.follows for step in steps}
    return [place for place in range(len(steps)) if place not in followed]


def _by_lane(summary: ModelSummary, dependence: Dependence) -> dict[Lane, list[Layer]]:
    lanes: dict[Lane, list[Layer]] = {lane: [] for lane in LANES}
    lane: Lane = "image"
    for layer, reads in zip(summary.layers, dependence.layers, strict=True):
        # What reads neither has an output that never changes; it stays with its neighbour.
        lane = lane if reads == "neither" else reads
        lanes[lane].append(layer)
    return lanes


def _steps(layers: list[Layer]) -> list[Step]:
    groups: list[tuple[list[Layer], int | None]] = []
    home: list[int] = []  # of each layer, its group
    for place, layer in enumerate(layers):
        before = _feeder(layers, place)
        if layer.multiply_adds or before is None or before != place - 1:
            groups.append(([], None if before is None else home[before]))
        groups[-1][0].append(layer)
        home.append(len(groups) - 1)
    return [Step(tuple(group), follows) for group, follows in groups]


def _feeder(layers: list[Layer], place: int) -> int | None:
    """Which earlier layer's output this one takes; None for the first."""
    wanted = layers[place].input_shape
    earlier = range(place - 1, -1, -1)
    same_shape = (other for other in earlier if layers[other].output_shape == wanted)
    same_size = (other for other in earlier if prod(layers[other].output_shape) == prod(wanted))
    # Pooling or joining that is no layer leaves no shape to go by: then it is the one just before.
    nearest = place - 1 if place else None
    return next(same_shape, next(same_size, nearest))


def _answer(lanes: dict[Lane, list[Step]], reads: Reads, *, first: bool) -> Spot:
    """Where the digit (first) or the sum comes out, of the ends of the lane that it reads."""
    lane: Lane = "both" if reads == "neither" else reads
    ends = leaves(lanes[lane])
    if not ends:
        return Spot(lane, None)
    digits = [place for place in ends if prod(lanes[lane][place].output_shape) == DIGITS]
    if first:
        return Spot(lane, (digits or ends)[0] if lane == "both" else (digits or ends)[-1])
    others = [place for place in ends if place not in digits[:1]]
    return Spot(lane, (others or ends)[-1])


def _last(steps: list[Step]) -> int | None:
    return len(steps) - 1 if steps else None
