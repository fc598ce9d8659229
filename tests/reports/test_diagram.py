"""The drawing of every model: its edges are the model's own, nothing lies on anything."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from torch import Tensor, nn

from mnist_adder import models
from mnist_adder.models import Adder
from mnist_adder.reports.diagram import Box, network, trace
from mnist_adder.types import Outputs

Legible = Callable[[Figure], list[str]]

NETWORKS = [*((name, None) for name in models.names()), ("exact-sum", "best"), ("exact-sum", "tiny")]


def steps(box: Box) -> list[str]:
    """What leads to a box if each has one source, or from the first one of several."""
    before = steps(box.sources[0]) if box.sources else []
    return [*before, box.name or ", ".join(box.words)]


@pytest.mark.parametrize(("name", "preset"), NETWORKS)
def test_the_boxes_have_all_parameters_and_two_inputs_lead_to_two_answers(
    name: str, preset: str | None
) -> None:
    model = models.build(name, preset)
    boxes = trace(model)
    assert sum(box.parameters for box in boxes) == model.parameter_count()
    assert [box.name for box in boxes if not box.sources] == ["image", "number"]
    assert [box.name for box in boxes[-2:]] == ["digit", "sum"]
    used = {source for box in boxes for source in box.sources}
    assert used == set(boxes[:-2])
    assert boxes[-1].reads == "both"


@pytest.mark.parametrize(
    ("name", "digit"),
    [
        ("argmax-regression", "image"),
        ("binary-sum", "both"),
        ("exact-sum", "image"),
        ("learned-sum", "image"),
        ("logit-mlp", "image"),
        ("shared-trunk", "both"),
    ],
)
def test_it_sees_what_each_answer_depends_on_even_behind_an_argmax(name: str, digit: str) -> None:
    assert trace(models.build(name))[-2].reads == digit


def test_a_layer_is_drawn_with_what_only_shapes_or_normalises_its_output() -> None:
    *_, digit, _ = trace(models.build("exact-sum"))
    assert steps(digit) == [
        "image",
        "Conv2d 3x3, padding 1, BatchNorm2d, ReLU",
        "Conv2d 3x3, padding 1, MaxPool2d 2x2, BatchNorm2d, ReLU",
        "Conv2d 3x3, BatchNorm2d, ReLU, FlattenChannelsLast",
        "Linear",
        "digit",
    ]
    assert [box.shape for box in (digit.sources[0], *digit.sources[0].sources)] == [(10,), (1536,)]


def test_what_is_done_to_an_answer_before_the_inputs_meet_belongs_to_the_meeting() -> None:
    boxes = trace(models.build("learned-sum"))
    (meeting,) = [box for box in boxes if len(box.sources) == 2]
    assert meeting.words == ["softmax", "join"]
    assert meeting.sources == [boxes[-2].sources[0], boxes[1]]
    assert boxes[1].name == "number"


def test_two_heads_stand_side_by_side() -> None:
    *_, digit, total = trace(models.build("shared-trunk"))
    (digit_head,), (sum_head,) = digit.sources, total.sources
    assert digit_head is not sum_head
    assert digit_head.sources == sum_head.sources


def test_an_addition_takes_what_went_past_a_layer() -> None:
    boxes = trace(models.build("exact-sum", "tiny"))
    additions = [box for box in boxes if box.words == ["add"]]
    assert len(additions) == 3
    for addition in additions:
        past, through = addition.sources
        assert through.sources == [past]
    assert additions[2].sources[0] is additions[1]
    assert additions[1].sources[0] is additions[0]


@pytest.mark.parametrize(("name", "preset"), NETWORKS)
def test_the_drawing_says_all_and_nothing_lies_on_anything(
    name: str, preset: str | None, legible: Legible
) -> None:
    model = models.build(name, preset)
    figure = network(model)
    words = legible(figure)
    assert {"image", "number", "the two inputs meet", "digit", "sum", model.fusion} <= set(words)
    found = boxes_of(figure)
    assert len(found) == len(trace(model))
    for (x0, y0, x1, y1), (u0, v0, u1, v1) in itertools.combinations(found, 2):
        assert x1 <= u0 or u1 <= x0 or y1 <= v0 or v1 <= y0, "two boxes overlap"
    for points in arrows_of(figure):
        (end,) = [box for box in found if touches(points[-1], box)]
        for start, stop in itertools.pairwise(points):
            middle = ((start[0] + stop[0]) / 2, (start[1] + stop[1]) / 2)
            assert not any(inside(middle, box) for box in found if box != end), "an arrow crosses a box"


def boxes_of(figure: Figure) -> list[tuple[float, float, float, float]]:
    found = [patch for patch in figure.axes[0].patches if isinstance(patch, FancyBboxPatch)]
    return [(b.get_x(), b.get_y(), b.get_x() + b.get_width(), b.get_y() + b.get_height()) for b in found]


def arrows_of(figure: Figure) -> list[list[tuple[float, float]]]:
    arrows = [patch for patch in figure.axes[0].patches if isinstance(patch, FancyArrowPatch)]
    return [[(x, y) for x, y in arrow._path_original.vertices] for arrow in arrows]  # type: ignore[attr-defined]


def touches(point: tuple[float, float], box: tuple[float, float, float, float]) -> bool:
    (x, y), (x0, y0, x1, y1) = point, box
    return x0 - 1e-6 <= x <= x1 + 1e-6 and y0 - 1e-6 <= y <= y1 + 1e-6


def inside(point: tuple[float, float], box: tuple[float, float, float, float]) -> bool:
    (x, y), (x0, y0, x1, y1) = point, box
    return x0 + 1e-6 < x < x1 - 1e-6 and y0 + 1e-6 < y < y1 - 1e-6


class Blind(Adder):
    """A model that looks at the image alone and answers both by one layer."""

    fusion = "they never meet"
    objective = "none"

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(784, 19)

    def encode(self, images: Tensor) -> Tensor:
        features: Tensor = self.head(images.flatten(1))
        return features

    def combine(self, features: Tensor, numbers: Tensor) -> Outputs:
        return Outputs(features[:, :10], features)


def test_a_model_that_leaves_the_number_out_can_be_drawn(legible: Legible) -> None:
    assert {"image", "number", "digit", "sum", "Linear"} <= set(legible(network(Blind().eval())))


def test_looking_changes_nothing() -> None:
    model = models.build("shared-trunk").train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    trace(model)
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
