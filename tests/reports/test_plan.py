"""How a model hangs together, told from its summary; for the six models and for some that are made up."""

from __future__ import annotations

from typing import Any

import pytest
from torch import nn

from mnist_adder import models
from mnist_adder.models.summary import Layer, ModelSummary, summarize
from mnist_adder.reports.layers import Dependence, Reads, find_dependence
from mnist_adder.reports.plan import Plan, Spot, make_plan


def plan_of(name: str) -> Plan:
    model = models.build(name)
    return make_plan(summarize(model), find_dependence(model))


@pytest.mark.parametrize(
    ("name", "digit", "answered_sum"),
    [
        ("argmax-regression", ("image", "classifier.15"), ("both", "head.2")),
        ("binary-sum", ("both", "digit_head"), ("both", "sum_head")),
        ("exact-sum", ("image", "classifier.6"), ("both", None)),
        ("learned-sum", ("image", "classifier.6"), ("both", "head.2")),
        ("logit-mlp", ("image", "classifier.14"), ("both", "head.2")),
        ("shared-trunk", ("both", "digit_head"), ("both", "sum_head")),
    ],
)
def test_the_answers_come_out_where_the_model_gives_them(
    name: str, digit: tuple[str, str], answered_sum: tuple[str, str | None]
) -> None:
    plan = plan_of(name)

    def where(spot: Spot) -> tuple[str, str | None]:
        step = None if spot.step is None else plan.lanes[spot.lane][spot.step]
        return spot.lane, step.layers[0].name if step else None

    assert where(plan.digit) == digit
    assert where(plan.sum) == answered_sum


def test_two_heads_follow_the_same_step() -> None:
    plan = plan_of("shared-trunk")
    assert [step.follows for step in plan.lanes["both"]] == [None, 0, 1, 1]


@pytest.mark.parametrize("name", models.names())
def test_every_layer_is_in_one_step_of_the_lane_that_it_reads(name: str) -> None:
    model = models.build(name)
    summary, dependence = summarize(model), find_dependence(model)
    reads = dict(zip((layer.name for layer in summary.layers), dependence.layers, strict=True))
    plan = make_plan(summary, dependence)
    found = [(lane, layer) for lane, steps in plan.lanes.items() for step in steps for layer in step.layers]
    assert sorted(layer.name for _, layer in found) == sorted(layer.name for layer in summary.layers)
    assert all(reads[layer.name] == lane for lane, layer in found)
    assert sum(step.parameters for steps in plan.lanes.values() for step in steps) == sum(
        layer.parameters for layer in summary.layers
    )


def layer(name: str, taken: int, given: int, **changed: Any) -> Layer:
    values: dict[str, Any] = {
        "name": name,
        "module": nn.Linear(taken, given),
        "input_shape": (taken,),
        "output_shape": (given,),
        "parameters": taken * given,
        "multiply_adds": taken * given,
    }
    return Layer(**values | changed)


def made_up(features: int, digit: Reads, *layers: tuple[Layer, Reads]) -> Plan:
    """The plan of a model of these layers, each with what it reads, whose sum reads both inputs."""
    summary = ModelSummary(layers=tuple(one for one, _ in layers), multiply_adds=0, features=features)
    return make_plan(summary, Dependence(layers=tuple(reads for _, reads in layers), digit=digit, sum="both"))


def test_a_digit_head_that_reads_the_image_alone_stands_beside_the_fusion() -> None:
    plan = made_up(
        64,
        "image",
        (layer("body", 784, 64), "image"),
        (layer("digit_head", 64, 10), "image"),
        (layer("embedding", 1, 8), "number"),
        (layer("sum_head", 72, 19), "both"),
    )
    assert plan.meets_from_image == Spot("image", 0)
    assert plan.meets_from_number == Spot("number", 0)
    assert plan.digit == Spot("image", 1)
    assert plan.sum == Spot("both", 0)


def test_one_head_may_give_both_answers_and_a_lane_may_be_empty() -> None:
    nothing = layer("nothing", 29, 29, multiply_adds=0)
    plan = made_up(784, "both", (layer("all", 794, 29), "both"), (nothing, "neither"))
    assert plan.meets_from_image == Spot("image", None)
    assert plan.meets_from_number == Spot("number", None)
    assert plan.digit == plan.sum == Spot("both", 0)
    assert [one.name for one in plan.lanes["both"][0].layers] == ["all", "nothing"]


def test_pooling_that_is_no_layer_does_not_break_the_chain() -> None:
    shapes = {"input_shape": (8, 14, 14), "output_shape": (16, 14, 14)}
    one, two = layer("one", 1, 1, output_shape=(8, 28, 28)), layer("two", 1, 1, **shapes)
    plan = made_up(10, "image", (one, "image"), (two, "image"))
    assert [step.follows for step in plan.lanes["image"]] == [None, 0]
