"""The same seed gives the same weights, in any process and after whatever; with other threads, nearly so.

Some networks are trained for a few steps in this process, and again in another in the opposite order, so that
what a training leaves behind would show; the default also with two threads. ``test_unchanged`` compares all
models and presets with weights that were recorded in another process.
``docs/guide.md`` has the tolerance under "Repeat a run".
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import lightning as L
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from mnist_adder import models
from mnist_adder.data.dataset import MNISTAdder
from mnist_adder.data.images import DigitImages, load_images
from mnist_adder.evaluation.evaluate import evaluate
from mnist_adder.models.presets import PRESETS
from mnist_adder.training.config import TrainConfig
from mnist_adder.training.train import train

Weights = dict[str, Tensor]
WEIGHTS_TOLERANCE = 0.05
"""How far weights may be apart after three steps: the distance's length, by that of the weights."""
ACCURACY_TOLERANCE = 0.01
"""How far apart joint accuracies on the 3,600 test pairs may then be: a point."""
LEARNT = 0.4
"""More than this joint accuracy, where guessing has 0.1."""
NAMES = ["exact-sum", "binary-sum", "shared-trunk", "tiny"]  # all optimizers, averages and kinds of losses

# What the other processes run: the names in the order given, a file of weights for each.
PROCESS = """
import sys
from pathlib import Path
from tests.training.test_determinism import save_all

save_all(Path(sys.argv[1]), sys.argv[2].split("|"))
"""


class _TrainedError(Exception):
    """Training is over; evaluation, export and report need not follow."""


class _Stop(L.Callback):
    """Keeps the weights that training ends with, averaged where they are, and leaves it there."""

    def __init__(self) -> None:
        self.weights: Weights = {}

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.weights = {name: value.clone() for name, value in pl_module.model.state_dict().items()}  # type: ignore[union-attr]
        raise _TrainedError


def trained(name: str, folder: Path) -> Weights:
    """The weights after three steps on the bundled digits."""
    stop = _Stop()
    preset = name if name in PRESETS else None
    with pytest.raises(_TrainedError):
        train(
            TrainConfig(
                model=models.DEFAULT if preset else name,
                preset=preset,
                recipe={"epochs": 1, "batch_size": 432},
                seed=7,
                dataset="digits",
                run_dir=folder / f"run {name}",
            ),
            callbacks=lambda: [stop],
        )
    return stop.weights


def save_all(folder: Path, names: list[str]) -> None:
    """Train the networks named, in that order, and save each one's weights in a file of its name."""
    for name in names:
        weights = {key: value.contiguous() for key, value in trained(name, folder).items()}
        save_file(weights, folder / f"{name}.safetensors")


def distance(one: Weights, other: Weights) -> float:
    """Of all weights as one vector, relative to its length."""
    vectors = [torch.cat([w[key].double().flatten() for key in one]) for w in (one, other)]
    return float((vectors[0] - vectors[1]).norm() / vectors[0].norm())


def joint_accuracy(weights: Weights, data: DigitImages) -> float:
    """Of the default model, on all test pairs."""
    model = models.build(models.DEFAULT)
    model.load_state_dict(weights)
    return evaluate(model, MNISTAdder(split="test", data=data)).joint_accuracy


@pytest.fixture(scope="module")
def data_of_digits() -> DigitImages:
    return load_images("digits")


Trainings = dict[str, dict[str, Weights]]


@pytest.fixture(scope="module")
def trainings(tmp_path_factory: pytest.TempPathFactory) -> Trainings:
    """The weights of every network: "here" and in "another process"."""
    folders = {where: tmp_path_factory.mktemp("weights") for where in ("here", "another process")}
    with subprocess.Popen(
        [sys.executable, "-c", PROCESS, str(folders["another process"]), "|".join(NAMES[::-1])],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        save_all(folders["here"], NAMES)
        errors = process.communicate(timeout=300)[1]
        assert process.returncode == 0, errors
    return {
        where: {path.stem: load_file(path) for path in folder.glob("*.safetensors")}
        for where, folder in folders.items()
    }


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_weights_in_any_process(trainings: Trainings, name: str) -> None:
    here, there = trainings["here"][name], trainings["another process"][name]
    assert here.keys() == there.keys()
    for key, weight in here.items():
        assert torch.equal(weight, there[key]), key
        assert weight.isfinite().all()


def test_the_networks_did_learn(trainings: Trainings, data_of_digits: DigitImages) -> None:
    """Else the same weights would say nothing."""
    for name in NAMES:
        preset = name if name in PRESETS else None
        model = models.build(models.DEFAULT if preset else name, preset)
        for key, untrained in model.named_parameters():
            assert not torch.equal(untrained, trainings["here"][name][key]), (name, key)
    assert joint_accuracy(trainings["here"][models.DEFAULT], data_of_digits) > LEARNT


def test_two_threads_are_within_the_tolerance(
    trainings: Trainings, data_of_digits: DigitImages, tmp_path: Path
) -> None:
    one, threads = trainings["here"][models.DEFAULT], torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        two = trained(models.DEFAULT, tmp_path)
    finally:
        torch.set_num_threads(threads)
    assert distance(one, two) <= WEIGHTS_TOLERANCE
    accuracies = [joint_accuracy(weights, data_of_digits) for weights in (one, two)]
    assert abs(accuracies[0] - accuracies[1]) <= ACCURACY_TOLERANCE
