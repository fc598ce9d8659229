"""Presets: other networks of a model, made by name, each with a recipe of its own."""

from __future__ import annotations

import pytest
import torch

from mnist_adder import models
from mnist_adder.errors import ModelError
from mnist_adder.models.exact_sum import ExactSum
from mnist_adder.models.presets import PRESETS
from mnist_adder.models.summary import summarize


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_a_model_like_any_other(name: str) -> None:
    model = models.build("exact-sum", name)
    outputs = model(torch.rand(3, 1, 28, 28), torch.tensor([0, 5, 9]))
    assert outputs.digit_logits.shape == (3, 10)
    loss = sum(model.losses(outputs, torch.tensor([1, 2, 3]), torch.tensor([1, 7, 12])))
    assert isinstance(loss, torch.Tensor)
    loss.backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in model.parameters())


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_trains_on_all_images_by_a_recipe_of_its_own(name: str) -> None:
    recipe = models.recipe_of("exact-sum", name)
    assert recipe.train_on == "all"
    assert recipe != ExactSum.recipe
    assert PRESETS[name].purpose


@pytest.mark.parametrize("name", PRESETS)
def test_its_layers_hold_all_its_parameters(name: str) -> None:
    model = models.build("exact-sum", name)
    assert sum(layer.parameters for layer in summarize(model).layers) == model.parameter_count()


def test_tiny_ones_are_as_small_as_they_say() -> None:
    sizes = {name: models.build("exact-sum", name).parameter_count() for name in PRESETS if "tiny" in name}
    assert sizes == {"tiny": 9_098, "tiny-5k": 5_314, "tiny-4k": 3_800, "tiny-2k": 1_964}


def test_without_a_preset_it_is_the_model_itself() -> None:
    assert models.recipe_of("exact-sum") is ExactSum.recipe
    assert models.build("exact-sum").parameter_count() == ExactSum().parameter_count()


def test_what_does_not_exist_is_explained() -> None:
    with pytest.raises(ModelError, match=r"no preset 'fats'. Did you mean fast\?"):
        models.build("exact-sum", "fats")
    with pytest.raises(ModelError, match="logit-mlp has no presets; exact-sum has"):
        models.recipe_of("logit-mlp", "fast")
    with pytest.raises(ModelError, match="at least one member"):
        models.build("exact-sum", ensemble_size=0)
