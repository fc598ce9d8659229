"""The layer table, against figures worked out by hand and against what the models say of themselves."""

from __future__ import annotations

import itertools

import pytest
import torch

from mnist_adder import models
from mnist_adder.models.summary import ModelSummary, summarize


def summary(name: str) -> ModelSummary:
    return summarize(models.get(name)())


@pytest.mark.parametrize("name", models.names())
def test_its_parameters_are_all_there_and_its_shapes_follow_each_other(name: str) -> None:
    model = models.get(name)()
    found = summarize(model)
    assert sum(layer.parameters for layer in found.layers) == model.parameter_count()
    image = [layer for layer in found.layers if layer.reads == "image"]
    assert image[0].input_shape == (1, 28, 28)
    for layer, following in itertools.pairwise(image):
        assert following.input_shape == layer.output_shape
    assert image[-1].output_shape == (found.features,)


def test_multiply_adds_are_those_worked_out_by_hand() -> None:
    layers = {layer.name: layer for layer in summary("exact-sum").layers}
    assert layers["classifier.2.0"].multiply_adds == 12 * 12 * 32 * 4 * 9
    assert layers["classifier.3.0"].multiply_adds == 12 * 12 * 64 * 32 * 9
    assert layers["classifier.4.0"].multiply_adds == 4 * 4 * 96 * 64 * 9
    assert layers["classifier.6"].multiply_adds == 96 * 16 * 10
    assert summary("exact-sum").multiply_adds == 165_888 + 2_654_208 + 884_736 + 15_360
    assert layers["classifier.3.1"].multiply_adds == 0  # pooling


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
def test_it_sees_which_input_each_answer_reads(name: str, digit: str) -> None:
    found = summary(name)
    assert found.digit_reads == digit
    assert found.sum_reads == "both"


def test_the_way_of_the_number_and_the_fusion_are_seen_even_behind_an_argmax() -> None:
    reads = {layer.name: layer.reads for layer in summary("binary-sum").layers}
    assert {reads[f"number_features.{place}"] for place in range(6)} == {"number"}
    assert {reads[name] for name in ("trunk.0", "digit_head", "sum_head")} == {"both"}
    heads = [layer for layer in summary("argmax-regression").layers if layer.name.startswith("head")]
    assert [layer.reads for layer in heads] == 3 * ["both"]


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
