"""What to train: one value, handed whole from the command line to ``train``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from mnist_adder import environment, models
from mnist_adder.data.images import DigitImages
from mnist_adder.data.strokes import ATTRIBUTION
from mnist_adder.environment import Precision
from mnist_adder.models import Recipe
from mnist_adder.pen.images import TrainingSet
from mnist_adder.run_config import RunConfig


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """A training, before anything is known of the machine or the images it will run on."""

    model: str = models.DEFAULT
    preset: str | None = None  # another network of the model, with its own recipe
    recipe: Mapping[str, str | float] = field(default_factory=dict)  # settings that differ: {"epochs": 3}
    seed: int = 0  # of the weights, the order of the images, the numbers and the augmentation
    dataset: TrainingSet = "auto"  # MNIST, else the bundled digits
    data_dir: Path | str | None = None  # folder of the four MNIST files, if not the usual places
    precision: Precision | None = None  # of the encoder, if not the quicker one on this device
    run_dir: Path | str | None = None  # new or empty; by default a new folder below runs/
    devices: int = 1  # processes that train together on each node, one a device
    nodes: int = 1  # machines that train together; something must start a process on each
    ensemble_size: int = 1  # networks that answer together, with the seeds seed, seed + 1, ...

    def build_recipe(self, images: int = 55_000) -> Recipe:
        """The model's or preset's recipe for so many training images, with the settings of this config.

        Raises:
            ModelError: there is no such model, preset or setting, or a setting is out of range.
        """
        return models.recipe_of(self.model, self.preset).scaled_to(images).replaced(self.recipe)

    def to_run_config(self, data: DigitImages) -> RunConfig:
        """This training on these images and on this machine, as a run's config.json records it."""
        device = environment.best_device()
        return RunConfig(
            model=self.model,
            preset=self.preset,
            ensemble_size=self.ensemble_size,
            recipe=self.build_recipe(len(data.train_digits)),
            seed=self.seed,
            dataset=data.dataset,
            data_sha256=data.sha256,
            attribution=ATTRIBUTION if data.pen else None,
            device=environment.describe_device(device),
            precision=self.precision or environment.best_precision(device),
            devices=self.devices,
            nodes=self.nodes,
            threads=torch.get_num_threads(),
            versions=environment.versions(),
            commit=environment.source_commit(),
        )
