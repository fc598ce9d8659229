"""Training where there is a GPU: it is used, and what comes out holds on a processor too."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from mnist_adder.data.dataset import MNISTAdder
from mnist_adder.data.images import load_images
from mnist_adder.evaluation.evaluate import evaluate
from mnist_adder.training.config import TrainConfig
from mnist_adder.training.train import train

pytestmark = pytest.mark.gpu


def test_a_run_is_trained_on_the_gpu_and_answers_the_same_on_a_processor(tmp_path: Path) -> None:
    before = torch.cuda.max_memory_allocated()
    run = train(TrainConfig(model="exact-sum", dataset="digits", run_dir=tmp_path / "run"))
    assert torch.cuda.max_memory_allocated() > before
    assert run.results["device"] == torch.cuda.get_device_name()
    assert run.results["joint_accuracy"] > 0.9
    dataset = MNISTAdder(split="test", data=load_images("digits"))
    metrics = dataclasses.asdict(evaluate(run.load_model(), dataset))
    assert metrics["joint_accuracy"] == pytest.approx(run.results["joint_accuracy"], abs=0.003)
