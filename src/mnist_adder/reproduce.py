"""How to repeat a run: the command, and what it depends on.

A RunConfig comes in, a command line goes out.
"""

from __future__ import annotations

import dataclasses
import shlex

from mnist_adder import models
from mnist_adder.runs import RunConfig

_MNIST_IMAGES = 55_000  # of its training split; recipes are written for them


def command(config: RunConfig) -> str:
    """The command that trains the same run again, with all settings that are not the model's own."""
    own = models.recipe_of(config.model, config.preset).scaled_to(_MNIST_IMAGES)
    words = ["mnist-adder", "train", *_network(config)]
    words += ["--dataset", config.dataset, "--seed", str(config.seed)]
    if config.ensemble_size > 1:
        words += ["--ensemble", str(config.ensemble_size)]
    if config.devices > 1:
        words += ["--devices", str(config.devices)]
    if config.nodes > 1:
        words += ["--nodes", str(config.nodes)]
    for field in dataclasses.fields(config.recipe):
        value = getattr(config.recipe, field.name)
        # These two depend on how many images there are, so elsewhere they are said in any case.
        depends = config.dataset != "mnist" and field.name in ("batch_size", "learning_rate")
        if depends or value != getattr(own, field.name):
            words += (
                ["--epochs", str(value)] if field.name == "epochs" else ["--set", f"{field.name}={value}"]
            )
    return shlex.join(words)


def _network(config: RunConfig) -> list[str]:
    """Which network: a model, or a preset, of the default model unless another one is said."""
    if config.preset is None:
        return [config.model]
    model = [] if config.model == models.DEFAULT else [config.model]
    return [*model, "--preset", config.preset]
