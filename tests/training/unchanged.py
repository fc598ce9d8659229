"""Prints digests of what training and the packaged weights compute, as JSON, for test_unchanged.

``python -m tests.training.unchanged weights answers``, or one of them, with the environment that
test_unchanged sets.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import lightning as L
import numpy as np
import torch
from torch import Tensor

from mnist_adder import environment, models
from mnist_adder.data.dataset import MNISTAdder
from mnist_adder.data.images import DigitImages, load_images
from mnist_adder.pretrained import load_pretrained, names
from mnist_adder.speedrun.loop import NETWORK, RECIPE, train_network
from mnist_adder.speedrun.stream import TrainingImages
from mnist_adder.training.config import TrainConfig
from mnist_adder.training.train import train


class _TrainedError(Exception):
    """Training is over; evaluation and export need not follow."""


class _KeepWeights(L.Callback):
    """Keeps the weights that training ends with, averaged where they are."""

    def __init__(self) -> None:
        self.weights: list[Tensor] = []

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.weights = [value.clone() for value in pl_module.model.state_dict().values()]  # type: ignore[union-attr]
        raise _TrainedError


def digest(tensors: Iterable[Tensor]) -> str:
    """SHA-256 of the types, shapes and bytes of some tensors."""
    sha256 = hashlib.sha256()
    for tensor in tensors:
        array = np.ascontiguousarray(tensor.detach().numpy())
        sha256.update(f"{array.dtype} {array.shape}".encode())
        sha256.update(array.tobytes())
    return sha256.hexdigest()


def trained(name: str, preset: str | None, data: DigitImages, folder: Path) -> list[Tensor]:
    """The weights after one epoch on the bundled digits, seed 0."""
    if preset == NETWORK:
        recipe = RECIPE.scaled_to(len(data.train_digits))
        images = TrainingImages(data.train_images, data.train_digits)
        return list(train_network(images, seed=0, threads=1, recipe=recipe).state_dict().values())
    keep = _KeepWeights()
    config = TrainConfig(
        model=name, preset=preset, recipe={"epochs": 1}, dataset="digits", run_dir=folder / (preset or name)
    )
    with contextlib.suppress(_TrainedError):
        train(config, callbacks=lambda: [keep])
    return keep.weights


def weights() -> dict[str, str]:
    """A digest for each model and each preset."""
    data = load_images("digits")
    presets = [(models.DEFAULT, preset) for preset in models.get(models.DEFAULT).presets]
    with tempfile.TemporaryDirectory() as folder:
        return {
            preset or name: digest(trained(name, preset, data, Path(folder)))
            for name, preset in [*((name, None) for name in models.names()), *presets]
        }


def answers() -> dict[str, str]:
    """A digest for each of the packaged weights: what they answer to 1,000 pairs of MNIST's test images."""
    test = MNISTAdder(split="test", dataset="mnist")
    images, numbers = test.images[:1000].float() / 255, torch.arange(1000) % 10
    found = {}
    for name in names():
        model = load_pretrained(name).load_model()
        with torch.inference_mode():
            outputs = model(images, numbers)
            probabilities = [outputs.digit_logits.softmax(1), model.sum_probabilities(outputs)]
        found[name] = digest([*outputs, *probabilities])
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    assert environment.best_precision(torch.device("cpu")) == "32-true", "the digests are those of float32"
    kinds = {"weights": weights, "answers": answers}
    print(json.dumps({kind: kinds[kind]() for kind in sys.argv[1:]}, indent=2))
