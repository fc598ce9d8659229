"""A run evaluated again gives the figures it was saved with, or says why it cannot."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from mnist_adder import models
from mnist_adder.data.dataset import MNISTAdder
from mnist_adder.data.images import load_images
from mnist_adder.errors import RunError
from mnist_adder.evaluation.evaluate import evaluate, evaluate_run
from mnist_adder.runs import Run


def test_it_counts_all_pairs_of_a_split_and_leaves_the_mode_alone() -> None:
    torch.manual_seed(0)
    model = models.get("shared-trunk")().train()
    dataset = MNISTAdder(split="validation", data=load_images("digits"))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    metrics = evaluate(model, dataset)
    assert metrics.pairs == 10 * len(dataset)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_run_evaluated_again_gives_its_results(trained_run: Run) -> None:
    metrics = dataclasses.asdict(evaluate_run(trained_run))
    results = trained_run.results
    for name in ("digit_reliability", "sum_reliability"):
        assert np.allclose(metrics.pop(name), results[name], rtol=1e-5)
    floats = ("digit_loss", "sum_loss", "digit_calibration_error", "sum_calibration_error")
    about = {name: metrics.pop(name) for name in floats}
    assert {name: results[name] for name in metrics} == metrics
    assert {name: results[name] for name in about} == pytest.approx(about, rel=1e-5)


def test_other_data_than_it_was_trained_on_is_an_error(trained_run: Run) -> None:
    config = dataclasses.replace(trained_run.config, data_sha256="0" * 64)
    with pytest.raises(RunError, match="was trained on digits with checksum 000000000000"):
        evaluate_run(Run(Path("elsewhere"), config))
