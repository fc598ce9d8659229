"""The drawing of every model: the fusion is marked and in its words, nothing lies on anything."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from torch import nn

from mnist_adder import models
from mnist_adder.models.summary import Layer, ModelSummary, summarize
from mnist_adder.reports.drawing import network
from mnist_adder.reports.layers import Dependence, Reads, describe, find_dependence

Legible = Callable[[Figure], list[str]]


def boxes(figure: Figure) -> list[tuple[float, float, float, float]]:
    found = [patch for patch in figure.axes[0].patches if isinstance(patch, FancyBboxPatch)]
    return [(b.get_x(), b.get_y(), b.get_x() + b.get_width(), b.get_y() + b.get_height()) for b in found]


def arrow_ends(figure: Figure) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """Where each arrow begins and where it points."""
    arrows = [patch for patch in figure.axes[0].patches if isinstance(patch, FancyArrowPatch)]
    paths: list[Any] = [arrow._path_original for arrow in arrows]  # type: ignore[attr-defined]
    return [(tuple(path.vertices[0]), tuple(path.vertices[-1])) for path in paths]


def assert_apart(figure: Figure) -> None:
    for (x0, y0, x1, y1), (u0, v0, u1, v1) in itertools.combinations(boxes(figure), 2):
        assert x1 <= u0 or u1 <= x0 or y1 <= v0 or v1 <= y0, "two boxes overlap"
    width, height = figure.get_size_inches()
    assert all(min(x0, y0) >= 0 and x1 <= width and y1 <= height for x0, y0, x1, y1 in boxes(figure))


def touches(point: tuple[float, float], box: tuple[float, float, float, float]) -> bool:
    (x, y), (x0, y0, x1, y1) = point, box
    return x0 - 1e-6 <= x <= x1 + 1e-6 and y0 - 1e-6 <= y <= y1 + 1e-6


@pytest.mark.parametrize("name", models.names())
def test_a_model_is_drawn_from_its_inputs_to_its_answers(name: str, legible: Legible) -> None:
    model = models.get(name)
    made = model()
    summary = summarize(made)
    figure = network(summary, find_dependence(made), model.fusion)
    words = legible(figure)
    assert {"image", "number", "here the two inputs meet", "digit", "sum"} <= set(words)
    assert model.fusion in " ".join(words)
    costly = [layer for layer in summary.layers if layer.multiply_adds]
    for layer in costly:
        assert describe(layer) in words
    assert_apart(figure)


@pytest.mark.parametrize("name", models.names())
def test_every_arrow_leads_from_a_box_to_a_box_below_and_two_into_the_fusion(name: str) -> None:
    model = models.build(name)
    figure = network(summarize(model), find_dependence(model), model.fusion)
    found = boxes(figure)
    (title,) = [text for text in figure.axes[0].texts if text.get_text() == "here the two inputs meet"]
    (fusion,) = [box for box in found if touches(title.get_position(), box)]
    ends = arrow_ends(figure)
    for start, end in ends:
        assert any(touches(start, box) for box in found)
        assert any(touches(end, box) for box in found)
        assert start[1] < end[1]
    into = [start[0] for start, end in ends if touches(end, fusion)]
    assert len(into) == 2
    # All but the two inputs are pointed to.
    assert sum(any(touches(end, box) for _, end in ends) for box in found) == len(found) - 2


class AVeryLongNameOfALayerThatSomebodyWrote(nn.Conv2d):
    pass


def test_a_wide_model_with_long_words_still_fits(legible: Legible) -> None:
    def layer(name: str, taken: int, given: int) -> Layer:
        return Layer(
            name=name,
            module=AVeryLongNameOfALayerThatSomebodyWrote(1, 1, 17, stride=3, padding=5),
            input_shape=(taken,),
            output_shape=(given,),
            parameters=12_345_678,
            multiply_adds=5,
        )

    layers = (
        layer("body", 784, 64),
        layer("digit_head", 64, 10),
        layer("other_head", 64, 7),
        layer("number", 1, 8),
        layer("joint", 72, 30),
        layer("sum_head", 30, 19),
        layer("spare_head", 30, 3),
    )
    summary = ModelSummary(layers=layers, multiply_adds=0, features=64)
    reads: tuple[Reads, ...] = ("image", "image", "image", "number", "both", "both", "both")
    dependence = Dependence(layers=reads, digit="image", sum="both")
    figure = network(summary, dependence, "a fusion that takes very many words to be told in full; " * 5)
    legible(figure)
    assert_apart(figure)
