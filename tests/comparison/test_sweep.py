"""A series of runs: what is there is kept, what was stopped is carried on, what differs is refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import lightning as L
import pytest

from mnist_adder.comparison.sweep import sweep
from mnist_adder.data.images import DatasetName
from mnist_adder.errors import ModelError, RunError
from mnist_adder.runs import Run
from mnist_adder.training.config import TrainConfig

NAMES = ["exact-sum", "learned-sum"]


class StopAfter(L.Callback):
    """What Ctrl-C does, after some epochs of all trainings together."""

    def __init__(self, epochs: int) -> None:
        self.left = epochs

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self.left == 0:
            raise KeyboardInterrupt
        self.left -= 1


def series(
    folder: Path,
    callback: L.Callback | None = None,
    *,
    names: Sequence[str] = NAMES,
    dataset: DatasetName = "digits",
    seeds: int = 2,
    epochs_scale: float = 0.25,
) -> list[Run]:
    said: list[str] = []
    callbacks = [callback] if callback else []
    return sweep(
        names,
        folder,
        TrainConfig(dataset=dataset),
        seeds=seeds,
        epochs_scale=epochs_scale,
        notify=said.append,
        callbacks=lambda: callbacks,
    )


def figures(run: Run) -> dict[str, object]:
    return {name: value for name, value in run.results.items() if name != "train_seconds"}


def test_a_stopped_series_carries_on_to_the_end_it_would_have_had(tmp_path: Path) -> None:
    undisturbed = series(tmp_path / "whole", seeds=1)
    with pytest.raises(KeyboardInterrupt):
        series(tmp_path / "stopped", StopAfter(3))  # in the second epoch of the second of four runs
    first = tmp_path / "stopped" / "exact-sum-seed0" / "results.json"
    written = first.stat().st_mtime_ns
    assert not (tmp_path / "stopped" / "learned-sum-seed0" / "results.json").exists()
    runs = series(tmp_path / "stopped")
    assert first.stat().st_mtime_ns == written  # not trained again
    names = ["exact-sum-seed0", "learned-sum-seed0", "exact-sum-seed1", "learned-sum-seed1"]
    assert [run.folder.name for run in runs] == names
    assert [figures(run) for run in runs[:2]] == [figures(run) for run in undisturbed]
    assert {run.results["epochs"] for run in runs} == {2}  # a quarter of eight


def test_runs_of_another_protocol_are_refused(tmp_path: Path) -> None:
    series(tmp_path, seeds=1, epochs_scale=0.1)
    with pytest.raises(RunError, match=r"exact-sum-seed0 was trained otherwise: .* 1 epochs.*another folder"):
        series(tmp_path, seeds=1)
    with pytest.raises(RunError, match="was trained otherwise: exact-sum on digits"):
        series(tmp_path, seeds=1, epochs_scale=0.1, dataset="mnist")


def test_an_unknown_model_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="Did you mean exact-sum"):
        series(tmp_path, names=["learned-sum", "exact-sun"])
    assert not list(tmp_path.iterdir())
