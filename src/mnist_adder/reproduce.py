"""The command that trains a run again."""

from __future__ import annotations

import shlex

from mnist_adder import environment, models
from mnist_adder.run_config import RunConfig

_MNIST_IMAGES = 55_000  # of its training split; recipes are written for them


def train_command(config: RunConfig) -> str:
    """The command line that trains the same run again, with all settings that are not the model's own."""
    own = models.recipe_of(config.model, config.preset).scaled_to(_MNIST_IMAGES)
    words = ["mnist-adder", "train"]
    if config.preset is None or config.model != models.DEFAULT:
        words.append(config.model)
    if config.preset is not None:
        words += ["--preset", config.preset]
    words += ["--dataset", config.dataset, "--seed", str(config.seed)]
    if config.precision != environment.best_precision(environment.best_device()):
        words += ["--precision", config.precision]
    counts = {"--ensemble": config.ensemble_size, "--devices": config.devices, "--nodes": config.nodes}
    for option, count in counts.items():
        if count > 1:
            words += [option, str(count)]
    for name, value in vars(config.recipe).items():
        # These two depend on how many images there are, so on other datasets they are always given.
        depends = config.dataset != "mnist" and name in ("batch_size", "learning_rate")
        if depends or value != getattr(own, name):
            words += ["--epochs", str(value)] if name == "epochs" else ["--set", f"{name}={value}"]
    return shlex.join(words)
