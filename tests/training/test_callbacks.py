"""Stopping early and keeping the best; TensorBoard, asked over HTTP what it shows."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import lightning as L
import pytest

from mnist_adder.data.dataset import MNISTAdder
from mnist_adder.data.images import load_images
from mnist_adder.errors import ModelError
from mnist_adder.evaluation.evaluate import evaluate
from mnist_adder.runs import Run, load_run
from mnist_adder.training.config import TrainConfig
from mnist_adder.training.train import resume, train


def unsteady(folder: Path, **settings: str) -> Run:
    """A training at so high a constant rate that some epoch is worse than the one before."""
    text = {"epochs": "30", "learning_rate": "0.02", "schedule": "constant", **settings}
    return train(TrainConfig(model="exact-sum", recipe=text, dataset="digits", run_dir=folder))


@pytest.mark.parametrize("weight_averaging", ["none", "ema"])
def test_it_stops_when_nothing_gets_better_and_keeps_the_best(weight_averaging: str, tmp_path: Path) -> None:
    run = unsteady(tmp_path / "run", patience="2", weight_averaging=weight_averaging)
    accuracies = [row["validation_joint_accuracy"] for row in run.metrics]
    best = accuracies.index(max(accuracies)) + 1
    results = run.results
    assert results["epochs"] == len(accuracies) < 30
    assert results["best_epoch"] == best == len(accuracies) - 2
    validation = MNISTAdder(split="validation", data=load_images("digits"))
    kept = evaluate(run.load_model(), validation).joint_accuracy
    assert kept == pytest.approx(max(accuracies), abs=0.011)  # the epoch's line was in bfloat16: a pair or so


def test_without_patience_it_trains_to_the_end(trained_run: Run) -> None:
    assert trained_run.results["best_epoch"] == trained_run.results["epochs"] == 3


def test_patience_cannot_be_negative(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="patience is '-1'"):
        unsteady(tmp_path / "run", patience="-1")


def ask(port: int, path: str) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/data/{path}", timeout=20) as reply:
        return json.load(reply)


def test_tensorboard_shows_every_figure_of_every_epoch(trained_run: Run) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(trained_run.folder)]
    options = ["--host", "127.0.0.1", "--port", str(port), "--load_fast", "false"]
    with subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True) as server:
        try:
            deadline = time.monotonic() + 60
            tags: dict[str, Any] = {}
            while not tags and time.monotonic() < deadline:
                assert server.poll() is None, server.stderr and server.stderr.read()
                try:
                    tags = ask(port, "plugin/scalars/tags").get("tensorboard", {})
                except (urllib.error.URLError, ConnectionError):
                    server.poll()
            figures = ("loss", "digit_loss", "sum_loss", "digit_accuracy", "sum_accuracy", "joint_accuracy")
            expected = {f"{figure}/{part}" for figure in figures for part in ("train", "validation")}
            assert expected | {"learning_rate", "seconds"} == set(tags)
            points = ask(port, "plugin/scalars/scalars?run=tensorboard&tag=joint_accuracy%2Fvalidation")
            rows = trained_run.metrics
            assert [step for _, step, _ in points] == [row["epoch"] for row in rows]
            expected_values = [row["validation_joint_accuracy"] for row in rows]
            assert [value for *_, value in points] == pytest.approx(expected_values)
        finally:
            server.kill()  # it does not always listen to SIGTERM, and has nothing to lose


class ControlCWhereItIsLost(L.Callback):
    """Sends SIGINT while an object is being deleted, where Python only prints a KeyboardInterrupt."""

    def on_after_backward(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        class Fleeting:
            def __del__(self) -> None:
                os.kill(os.getpid(), signal.SIGINT)

        if trainer.global_step == 50:
            Fleeting()


def test_ctrl_c_is_never_lost_and_the_run_carries_on(tmp_path: Path) -> None:
    handler = signal.getsignal(signal.SIGINT)
    settings: dict[str, str | float] = {"epochs": 3, "weight_averaging": "none"}
    with pytest.raises(KeyboardInterrupt) as stopped:
        train(
            TrainConfig(model="shared-trunk", recipe=settings, dataset="digits", run_dir=tmp_path / "run"),
            callbacks=lambda: [ControlCWhereItIsLost()],
        )
    assert stopped.value.args == (tmp_path / "run",)
    assert signal.getsignal(signal.SIGINT) is handler
    assert len(load_run(tmp_path / "run").metrics) == 1  # step 50 is in the second epoch
    assert resume(tmp_path / "run").results["epochs"] == 3
