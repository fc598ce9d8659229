"""An ensemble's run: its members' runs inside it, one model, one evaluation, and carrying on after a stop."""

from __future__ import annotations

from pathlib import Path

import lightning as L
import pytest
import torch

from mnist_adder.data.images import load_images
from mnist_adder.evaluation.evaluate import evaluate_run
from mnist_adder.inference import Predictor
from mnist_adder.models import Ensemble
from mnist_adder.runs import Run, load_run
from mnist_adder.training.config import TrainConfig
from mnist_adder.training.train import resume, train


class StopInSecondRun(L.Callback):
    """What Ctrl-C does, in the first epoch of the second training."""

    trainings = 0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.trainings += 1
        if self.trainings == 2:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("ensemble") / "run"
    return train(TrainConfig(ensemble_size=2, recipe={"epochs": 1}, seed=4, dataset="digits", run_dir=folder))


def test_its_members_are_the_runs_they_would_have_been_alone(ensemble: Run, tmp_path: Path) -> None:
    model = ensemble.load_model()
    assert isinstance(model, Ensemble)
    alone = train(TrainConfig(recipe={"epochs": 1}, seed=5, dataset="digits", run_dir=tmp_path / "alone"))
    for name, tensor in alone.load_model().state_dict().items():
        assert torch.equal(model.state_dict()[f"members.1.{name}"], tensor)


def test_it_is_one_run_like_any_other(ensemble: Run) -> None:
    image = load_images("digits").test_images[0]
    assert load_run(ensemble.folder).config.ensemble_size == 2
    metrics, results = evaluate_run(ensemble), ensemble.results
    assert metrics.joint_accuracy == results["joint_accuracy"]
    seconds = [load_run(path).results["train_seconds"] for path in (ensemble.folder / "members").iterdir()]
    assert results["train_seconds"] == pytest.approx(sum(seconds), abs=0.01)
    answer = Predictor(ensemble.folder).predict(image.numpy(), 7)
    assert answer.sum == answer.digit + 7


def test_test_time_augmentation_is_another_figure(ensemble: Run) -> None:
    plain, augmented = evaluate_run(ensemble), evaluate_run(ensemble, augment=True)
    assert plain.digit_loss != augmented.digit_loss


def test_a_stopped_one_carries_on(ensemble: Run, tmp_path: Path) -> None:
    callback = StopInSecondRun()
    with pytest.raises(KeyboardInterrupt) as stopped:
        train(
            TrainConfig(
                ensemble_size=2, recipe={"epochs": 1}, seed=4, dataset="digits", run_dir=tmp_path / "run"
            ),
            callbacks=lambda: [callback],
        )
    assert stopped.value.args == (tmp_path / "run",)
    carried_on = resume(tmp_path / "run")
    assert carried_on.results["joint_accuracy"] == ensemble.results["joint_accuracy"]
    assert resume(tmp_path / "run") == carried_on  # it has ended: nothing is done
