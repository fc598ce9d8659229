"""The command repeats the run: read back, its settings are the config's."""

from __future__ import annotations

import dataclasses
import shlex

import pytest

from mnist_adder import models
from mnist_adder.reproduce import train_command
from mnist_adder.runs import Run


def settings_of(line: str) -> dict[str, str]:
    words = shlex.split(line)
    said = [words[place + 1] for place, word in enumerate(words) if word == "--set"]
    if "--epochs" in words:
        said.append(f"epochs={words[words.index('--epochs') + 1]}")
    return dict(setting.split("=", 1) for setting in said)


@pytest.mark.parametrize("images", [55_000, 1_079])
def test_the_settings_lead_to_the_same_recipe(trained_run: Run, images: int) -> None:
    for config in (
        trained_run.config,
        dataclasses.replace(trained_run.config, recipe=models.get("exact-sum").recipe),  # nothing was scaled
        dataclasses.replace(trained_run.config, recipe=models.get("exact-sum").recipe.scaled_to(100)),
    ):
        line = train_command(config)
        assert line.startswith("mnist-adder train exact-sum --dataset digits --seed 0")
        own = models.get("exact-sum").recipe.scaled_to(images)
        assert own.replaced(settings_of(line)) == config.recipe


def test_a_preset_is_repeated_by_its_name(trained_run: Run) -> None:
    recipe = models.recipe_of("exact-sum", "fast")
    config = dataclasses.replace(trained_run.config, preset="fast", recipe=recipe, dataset="mnist")
    assert train_command(config) == "mnist-adder train --preset fast --dataset mnist --seed 0"
    together = dataclasses.replace(config, ensemble_size=5)
    assert train_command(together) == f"{train_command(config)} --ensemble 5"
    changed = dataclasses.replace(config, recipe=dataclasses.replace(recipe, epochs=recipe.epochs + 1))
    assert train_command(changed) == f"{train_command(config)} --epochs {recipe.epochs + 1}"


def test_what_is_the_models_own_is_left_out(trained_run: Run) -> None:
    config = dataclasses.replace(
        trained_run.config,
        recipe=models.get("exact-sum").recipe,
        dataset="mnist",
        seed=3,
        devices=2,
        nodes=3,
    )
    assert (
        train_command(config) == "mnist-adder train exact-sum --dataset mnist --seed 3 --devices 2 --nodes 3"
    )
