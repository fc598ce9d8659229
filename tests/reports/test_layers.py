"""Which input a layer and an answer depend on, and each layer in words."""

from __future__ import annotations

import pytest
import torch

from mnist_adder import models
from mnist_adder.models.summary import summarize
from mnist_adder.reports.layers import Reads, describe, find_dependence


def reads_by_layer(name: str) -> list[tuple[str, Reads]]:
    model = models.build(name)
    names = (layer.name for layer in summarize(model).layers)
    return list(zip(names, find_dependence(model).layers, strict=True))


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
    found = find_dependence(models.build(name))
    assert found.digit == digit
    assert found.sum == "both"


def test_it_sees_the_layers_that_read_the_number_or_both_even_behind_an_argmax() -> None:
    reads = dict(reads_by_layer("binary-sum"))
    assert {reads[f"number_features.{place}"] for place in range(6)} == {"number"}
    assert {reads[name] for name in ("trunk.0", "digit_head", "sum_head")} == {"both"}
    found = reads_by_layer("argmax-regression")
    assert [reads for name, reads in found if name.startswith("head")] == 3 * ["both"]


@pytest.mark.parametrize("name", models.names())
def test_what_reads_the_image_alone_leads_from_it_to_the_features(name: str) -> None:
    model = models.build(name)
    summary, reads = summarize(model), find_dependence(model).layers
    image = [layer for layer, read in zip(summary.layers, reads, strict=True) if read == "image"]
    assert image[0].input_shape == (1, 28, 28)
    assert image[-1].output_shape == (summary.features,)


def test_layers_are_told_in_a_few_words() -> None:
    words = [describe(layer) for layer in summarize(models.build("exact-sum", "tiny")).layers]
    assert words[:3] == ["Crop 2 a side", "PixelUnshuffle 2x2 to channels", "Conv2d 3x3, padding 1"]
    assert {"MaxPool2d 2x2", "AdaptiveAvgPool2d to 1x1", "Conv2d 3x3", "BatchNorm2d", "Linear"} < set(words)


def test_looking_changes_nothing() -> None:
    model = models.get("shared-trunk")().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    find_dependence(model)
    assert torch.equal(torch.rand(1), expected)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())
