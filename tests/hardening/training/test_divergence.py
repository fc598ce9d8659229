"""A loss that diverges stops the training, in one line; what was good before is kept."""

from __future__ import annotations

import math
import random
from pathlib import Path

import lightning as L
import pytest
import torch
from tests.cli.conftest import RunCLI
from tests.hardening.attempts import Faults

from mnist_adder import models
from mnist_adder.errors import DivergedError, ModelError
from mnist_adder.lr_finder import find_learning_rate
from mnist_adder.runs import load_run
from mnist_adder.training.callbacks import DIVERGED, check_losses
from mnist_adder.training.complete import check_weights
from mnist_adder.training.config import TrainConfig
from mnist_adder.training.train import resume, train

FAR_TOO_HIGH = (
    "train exact-sum",
    "train --preset tiny",
    "train --ensemble 2",
    "train exact-sum --set train_on=all --set optimizer=sgd",
    "train exact-sum --set schedule=constant --patience 2",
    *(f"train {name}" for name in models.names()),
)


def test_a_rate_that_is_far_too_high_is_told(run_cli: RunCLI, faults: Faults, tmp_path: Path) -> None:
    for place in faults.times(len(FAR_TOO_HIGH), 4):
        with faults("a learning rate of a million"):
            folder = tmp_path / f"{place}"
            words = [*FAR_TOO_HIGH[place].split(), "--set", "learning_rate=1e6", "--dataset", "digits"]
            code, out, err = run_cli(*words, "--run-dir", str(folder))
            assert (code, out) == (2, "")
            last = err.splitlines()[-1]
            assert last.startswith("mnist-adder: ")
            assert "diverged" in last
            assert "with a lower rate than 1e+06" in last
            assert "Traceback" not in err
            assert not list(folder.rglob("results.json"))
            assert not list(folder.rglob("model.safetensors"))  # nothing was good


class Spoil(L.Callback):
    """Makes a weight infinite in the last step of an epoch, counted from 1, where no loss shows it yet."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        if trainer.is_last_batch and trainer.current_epoch + 1 == self.epoch:
            weight = next(pl_module.parameters()).data
            weight[(0,) * weight.dim()] = math.inf


@pytest.mark.parametrize("weight_averaging", ["none", "ema"])
def test_the_last_good_weights_are_kept(weight_averaging: str, faults: Faults, tmp_path: Path) -> None:
    settings: dict[str, str | float] = {
        "weight_averaging": weight_averaging,
        "schedule": "constant",
        "train_on": "all",
    }
    whole = train(
        TrainConfig(
            model="exact-sum", recipe={**settings, "epochs": 1}, dataset="digits", run_dir=tmp_path / "1"
        )
    )
    folder = tmp_path / "run"
    with faults("weights that are infinite after an epoch"):
        with pytest.raises(
            DivergedError, match=rf"in epoch 2 .* after epoch 1 are in {folder}/model\.safetensors.*find-lr"
        ):
            train(
                TrainConfig(
                    model="exact-sum", recipe={**settings, "epochs": 3}, dataset="digits", run_dir=folder
                ),
                callbacks=lambda: [Spoil(2)],
            )
        kept, expected = load_run(folder).load_model(), whole.load_model().state_dict()
        assert all(torch.equal(values, expected[name]) for name, values in kept.state_dict().items())
        assert len(load_run(folder).metrics) == 1
        assert resume(folder).results["epochs"] == 3  # where the loss had not run away by itself


def test_the_finder_stops_where_the_loss_runs_away(faults: Faults) -> None:
    chance = random.Random(0)
    for attempt in faults.times(20, 2):
        with faults("a range test whose loss overflows"):
            weight = 10 ** chance.uniform(38, 300)
            with pytest.raises(ModelError, match="not finite before it has learned anything"):
                find_learning_rate(
                    TrainConfig(
                        model="exact-sum",
                        recipe={"digit_weight": weight},
                        dataset="digits",
                        seed=attempt,
                    )
                )


@pytest.mark.parametrize("name", ["train_loss", "train_sum_loss", "validation_digit_loss"])
@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_losses_that_are_no_numbers_are_refused(name: str, loss: float) -> None:
    with pytest.raises(DivergedError, match=f"its {name} is"):
        check_losses({"train_digit_loss": 1.0, name: loss})


def test_a_high_loss_is_refused_in_training_alone() -> None:
    check_losses({"train_digit_loss": 0.9 * DIVERGED, "validation_sum_loss": 2 * DIVERGED, "seconds": 1e9})
    with pytest.raises(DivergedError, match="its train_sum_loss is 2e"):
        check_losses({"train_sum_loss": 2 * DIVERGED})


@pytest.mark.parametrize("name", models.names())
def test_a_single_weight_that_is_no_number_is_found(name: str) -> None:
    model = models.build(name)
    check_weights(model)
    list(model.parameters())[-1].data[-1] = math.nan
    with pytest.raises(DivergedError, match="not finite numbers"):
        check_weights(model)
