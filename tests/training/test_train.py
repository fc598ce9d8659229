"""Training for real, on the bundled digits: what a run holds, that seeds repeat it, that epochs differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from tests.training.commands import assert_same_end, same_weights

from mnist_adder import models
from mnist_adder.errors import RunError
from mnist_adder.evaluation.evaluate import evaluate_run
from mnist_adder.runs import Run, load_run
from mnist_adder.training.config import TrainConfig
from mnist_adder.training.train import resume, train
from mnist_adder.types import Batch


def quick(folder: Path, model: str = "shared-trunk", **settings: Any) -> Run:
    """Train for two epochs on the digits, in large batches."""
    seed = settings.pop("seed", 0)
    callbacks = settings.pop("callbacks", [])
    text = {"epochs": "2", "batch_size": "64", **{name: str(value) for name, value in settings.items()}}
    return train(
        TrainConfig(model=model, recipe=text, seed=seed, dataset="digits", run_dir=folder),
        callbacks=lambda: callbacks,
    )


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A quick run whose weights are not averaged, to compare others with."""
    return quick(tmp_path_factory.mktemp("plain") / "run", weight_averaging="none")


def test_results_say_what_was_trained_and_measured(trained_run: Run) -> None:
    results = trained_run.results
    assert results["model"] == "exact-sum"
    assert results["dataset"] == "digits"
    assert results["command"].startswith("mnist-adder train exact-sum --dataset digits --seed 0")
    assert results["seed"] == 0
    assert results["epochs"] == 3
    assert results["parameters"] == models.get("exact-sum")().parameter_count()
    assert results["pairs"] == 3_600
    assert results["train_seconds"] > 0
    assert results["device"]
    assert {"torch", "lightning", "python", "numpy", "mnist-adder"} <= set(results["versions"])
    assert 0.8 < results["joint_accuracy"] <= min(results["digit_accuracy"], results["sum_accuracy"])
    assert results["inconsistency"] == 0
    assert results["digit_consistency"] == 1


def test_metrics_have_a_row_an_epoch_and_the_rate_ends_near_zero(trained_run: Run) -> None:
    rows = trained_run.metrics
    assert len(rows) == 3
    for part in ("train", "validation"):
        for figure in ("loss", "digit_loss", "sum_loss", "digit_accuracy", "sum_accuracy", "joint_accuracy"):
            assert f"{part}_{figure}" in rows[0]
    assert rows[-1]["learning_rate"] < trained_run.config.recipe.learning_rate / 1000
    assert sum(row["seconds"] for row in rows) <= trained_run.results["train_seconds"]


def test_the_same_seed_gives_the_same_run_bit_for_bit(tmp_path: Path) -> None:
    """Weights and figures; test_determinism compares the weights of all models and presets."""
    settings = {"epochs": 1, "batch_size": 512}
    one, other = (quick(tmp_path / place, "exact-sum", **settings) for place in ("1", "2"))
    assert same_weights(one, other)
    figures = [{k: v for k, v in run.metrics[0].items() if k != "seconds"} for run in (one, other)]
    assert figures[0] == figures[1]


def test_all_images_leave_none_to_validate_on(tmp_path: Path) -> None:
    run = quick(tmp_path / "run", train_on="all", weight_averaging="ema")
    assert [row["epoch"] for row in run.metrics] == [1, 2]
    assert not any("validation" in figure for figure in run.metrics[0])
    assert run.metrics[-1]["train_joint_accuracy"] > run.metrics[0]["train_joint_accuracy"]
    assert run.results["joint_accuracy"] > 0.1  # on the test pairs
    with pytest.raises(RunError, match="trained on all images, the validation images too"):
        evaluate_run(run, split="validation")


def test_all_images_are_trained_on(tmp_path: Path) -> None:
    watch = Watch()
    run = quick(tmp_path / "run", train_on="all", epochs=1, callbacks=[watch])
    held_out = quick(tmp_path / "held-out", epochs=1, callbacks=[other := Watch()])
    seen, fewer = (sum(len(batch.digits) for batch in w.seen[0]) for w in (watch, other))
    assert seen > fewer
    assert run.config.recipe.train_on == "all"
    assert held_out.config.recipe.train_on == "train"


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "muon"])
def test_every_optimizer_learns(optimizer: str, tmp_path: Path) -> None:
    rate = {"adamw": 0.01, "sgd": 0.1, "muon": 0.05}[optimizer]
    settings: dict[str, Any] = {"optimizer": optimizer, "learning_rate": rate, "batch_size": 32, "epochs": 3}
    run = quick(tmp_path / "run", "exact-sum", **settings)
    assert run.results["joint_accuracy"] > 0.5


def test_another_seed_gives_other_weights(plain: Run, tmp_path: Path) -> None:
    assert not same_weights(plain, quick(tmp_path / "1", weight_averaging="none", seed=1))


class Watch(L.Callback):
    """Keeps each epoch's numbers and digits, as training saw them."""

    def __init__(self) -> None:
        self.seen: dict[int, list[Batch]] = {}

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        self.seen.setdefault(trainer.current_epoch, []).append(batch)


def test_every_epoch_has_new_numbers_in_a_new_order(tmp_path: Path) -> None:
    watch = Watch()
    quick(tmp_path / "run", callbacks=[watch])
    first, second = (torch.cat([batch.digits for batch in watch.seen[epoch]]) for epoch in (0, 1))
    assert len(first) == len(second) == 20 * 64  # of 1,297: full batches only
    assert not torch.equal(first, second)
    numbers = [torch.cat([batch.numbers for batch in watch.seen[epoch]]) for epoch in (0, 1)]
    assert not torch.equal(*numbers)
    assert set(numbers[0].tolist()) == set(range(10))


@pytest.mark.parametrize("weight_averaging", ["ema", "swa"])
def test_averages_change_the_weights_and_leave_the_schedule_alone(
    weight_averaging: str, plain: Run, tmp_path: Path
) -> None:
    averaged = quick(tmp_path / weight_averaging, weight_averaging=weight_averaging, swa_start=0.5)
    assert not same_weights(plain, averaged)
    rates = [[row["learning_rate"] for row in run.metrics] for run in (plain, averaged)]
    assert rates[0] == rates[1]
    train_losses = [[row["train_loss"] for row in run.metrics] for run in (plain, averaged)]
    assert train_losses[0] == train_losses[1]  # the steps themselves were the same


@pytest.mark.parametrize("settings", [{"optimizer": "sgd"}, {"schedule": "constant"}, {"weight_decay": 0.1}])
def test_settings_reach_the_steps(settings: dict[str, Any], plain: Run, tmp_path: Path) -> None:
    changed = quick(tmp_path / "changed", weight_averaging="none", **settings)
    assert not same_weights(plain, changed)


def test_losses_are_weighted_by_the_recipe(tmp_path: Path) -> None:
    row = quick(tmp_path / "run", digit_weight=3, sum_weight=0.5).metrics[0]
    for part in ("train", "validation"):
        expected = 3 * row[f"{part}_digit_loss"] + 0.5 * row[f"{part}_sum_loss"]
        assert row[f"{part}_loss"] == pytest.approx(expected, rel=1e-3)


def test_a_taken_folder_is_refused_before_training(trained_run: Run) -> None:
    with pytest.raises(RunError, match="is not empty"):
        quick(trained_run.folder)


def test_batches_that_devices_cannot_share_are_refused() -> None:
    with pytest.raises(RunError, match="3 devices cannot share batches of 32 evenly"):
        train(TrainConfig(model="exact-sum", dataset="digits", devices=3))


class StopAfter(L.Callback):
    """Stops a run the hard way, in the middle of an epoch."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        if trainer.current_epoch == self.epochs and batch_idx == 1:
            raise RuntimeError("pulled the plug")


@pytest.mark.parametrize(("weight_averaging", "patience"), [("none", 0), ("ema", 0), ("swa", 0), ("ema", 3)])
def test_a_stopped_run_carries_on_to_the_same_end(
    weight_averaging: str, patience: int, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {
        "epochs": 3,
        "weight_averaging": weight_averaging,
        "swa_start": 0.3,
        "rotation_degrees": 10,
    }
    settings["patience"] = patience
    whole = quick(tmp_path / "whole", **settings)
    with pytest.raises(RuntimeError, match="pulled the plug"):
        quick(tmp_path / "stopped", callbacks=[StopAfter(2)], **settings)
    assert not (tmp_path / "stopped" / "results.json").exists()
    assert len(load_run(tmp_path / "stopped").metrics) == 2
    carried_on = resume(tmp_path / "stopped")
    assert same_weights(whole, carried_on)
    for row, expected in zip(carried_on.metrics, whole.metrics, strict=True):
        assert {**row, "seconds": 0} == {**expected, "seconds": 0}
    assert not (tmp_path / "stopped" / "checkpoints").exists()


def test_a_run_stopped_in_its_first_epoch_starts_again(plain: Run, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="pulled the plug"):
        quick(tmp_path / "stopped", weight_averaging="none", callbacks=[StopAfter(0)])
    assert same_weights(plain, resume(tmp_path / "stopped"))


class StopAtEnd(L.Callback):
    """Stops a run after its last epoch, before its results are written."""

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        raise RuntimeError("pulled the plug")


@pytest.mark.parametrize(
    ("weight_averaging", "patience"), [("none", 0), ("ema", 0), ("swa", 0), ("ema", 1), ("swa", 1)]
)
def test_a_run_stopped_after_its_last_epoch_only_writes_its_results(
    weight_averaging: str, patience: int, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"weight_averaging": weight_averaging, "swa_start": 0.3, "patience": patience}
    if patience:  # so unsteady that it stops early
        settings |= {"epochs": 30, "learning_rate": 0.05, "schedule": "constant"}
    whole = quick(tmp_path / "whole", "exact-sum", **settings)
    with pytest.raises(RuntimeError, match="pulled the plug"):
        quick(tmp_path / "stopped", "exact-sum", callbacks=[StopAtEnd()], **settings)
    carried_on = resume(tmp_path / "stopped")
    assert len(whole.metrics) < 30
    assert_same_end(carried_on.folder, whole.folder)


def test_a_run_that_has_ended_is_left_as_it_is(trained_run: Run) -> None:
    said: list[str] = []
    before = (trained_run.folder / "results.json").stat().st_mtime_ns
    assert resume(trained_run.folder, notify=said.append) == trained_run
    assert said == [f"{trained_run.folder} has ended already."]
    assert (trained_run.folder / "results.json").stat().st_mtime_ns == before


@pytest.mark.mnist
def test_real_mnist_in_one_epoch(tmp_path: Path) -> None:
    run = train(
        TrainConfig(model="exact-sum", recipe={"epochs": "1"}, dataset="mnist", run_dir=tmp_path / "run")
    )
    assert run.results["pairs"] == 100_000
    assert run.results["joint_accuracy"] > 0.97
