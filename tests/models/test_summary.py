"""The layer table, against figures worked out by hand and against what the models say of themselves."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from mnist_adder import models
from mnist_adder.models.exact_sum import ExactSum
from mnist_adder.models.presets import PRESETS
from mnist_adder.models.summary import ModelSummary, summarize

ENCODERS = ("classifier", "image_features", "backbone")  # what the models call the part that reads the image


def summary(name: str) -> ModelSummary:
    return summarize(models.get(name)())


@pytest.mark.parametrize("name", models.names())
def test_its_parameters_are_all_there_and_its_shapes_those_of_the_features(name: str) -> None:
    model = models.get(name)()
    found = summarize(model)
    assert sum(layer.parameters for layer in found.layers) == model.parameter_count()
    *_, last = itertools.takewhile(lambda layer: layer.name.startswith(ENCODERS), found.layers)
    assert last.output_shape == model.eval().encode(torch.zeros(1, 1, 28, 28)).shape[1:]


def test_multiply_adds_are_those_worked_out_by_hand() -> None:
    layers = {layer.name: layer for layer in summary("exact-sum").layers}
    assert layers["classifier.2.0"].multiply_adds == 12 * 12 * 32 * 4 * 9
    assert layers["classifier.3.0"].multiply_adds == 12 * 12 * 64 * 32 * 9
    assert layers["classifier.4.0"].multiply_adds == 4 * 4 * 96 * 64 * 9
    assert layers["classifier.6"].multiply_adds == 96 * 16 * 10
    assert summary("exact-sum").multiply_adds == 165_888 + 2_654_208 + 884_736 + 15_360
    assert layers["classifier.3.1"].multiply_adds == 0  # pooling


@pytest.mark.parametrize(
    ("model", "preset"),
    [*((name, None) for name in models.names()), *(("exact-sum", preset) for preset in PRESETS)],
)
def test_a_models_multiply_adds_are_those_of_its_layers(model: str, preset: str | None) -> None:
    found = summarize(models.build(model, preset))
    assert found.multiply_adds == sum(layer.multiply_adds for layer in found.layers)


def test_an_ensemble_costs_as_much_as_its_members() -> None:
    one, three = (summarize(models.build("exact-sum", "tiny", ensemble_size=size)) for size in (1, 3))
    assert three.multiply_adds == 3 * one.multiply_adds


def test_a_layer_that_is_called_again_costs_again_and_brings_no_new_parameters() -> None:
    found = summarize(models.build("exact-sum", "tiny"))
    calls = [layer for layer in found.layers if layer.name == "classifier.4.convolution"]
    assert [layer.parameters for layer in calls] == [16 * 16 * 9, 0, 0]
    assert [layer.multiply_adds for layer in calls] == 3 * [6 * 6 * 16 * 16 * 9]


def test_what_is_multiplied_outside_a_layer_is_counted_too() -> None:
    class Mixed(ExactSum):
        def encode(self, images: Tensor) -> Tensor:
            return super().encode(images) @ torch.eye(10)

    assert summarize(Mixed()).multiply_adds == summary("exact-sum").multiply_adds + 10 * 10


def test_looking_changes_nothing() -> None:
    model = models.get("shared-trunk")().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    summarize(model)
    assert torch.equal(torch.rand(1), expected)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())
