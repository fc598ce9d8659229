"""A run's folder is checked before anything is drawn: whatever is wrong is said, with what to do."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from mnist_adder.errors import ModelError, RunError
from mnist_adder.reports.run_files import RunFiles, load_run_files, parts
from mnist_adder.runs import Run, load_run

TRAINING = (
    "epoch,train_loss,train_digit_loss,train_sum_loss,train_digit_accuracy,train_sum_accuracy,"
    "train_joint_accuracy,learning_rate,seconds"
)
"""The columns of a metrics.csv without validation."""


@pytest.fixture
def run(trained_run: Run, tmp_path: Path) -> Run:
    return load_run(shutil.copytree(trained_run.folder, tmp_path / "run"))


def change(run: Run, edit: Callable[[dict[str, Any]], object]) -> None:
    path = run.folder / "results.json"
    values = json.loads(path.read_text())
    edit(values)
    path.write_text(json.dumps(values))


def test_all_is_there(files: RunFiles, trained_run: Run) -> None:
    written = json.loads(files.results.model_dump_json())
    assert written == {name: trained_run.results[name] for name in written}
    assert files.metrics == trained_run.metrics
    assert len(files.samples.images) == 24
    assert files.model.parameter_count() == files.results.parameters


def test_neither_weights_nor_random_numbers_are_touched(run: Run) -> None:
    (run.folder / "model.safetensors").unlink()
    before = torch.get_rng_state()
    load_run_files(run)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    "name", ["multiply_adds", "digit_reliability", "sum_calibration_error", "best_epoch"]
)
def test_results_of_an_older_version_are_told_by_the_field_that_they_lack(run: Run, name: str) -> None:
    change(run, lambda values: values.pop(name))
    with pytest.raises(RunError, match=rf"results\.json has no {name}.*mnist-adder train exact-sum"):
        load_run_files(run)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("joint_accuracy", "much"),
        ("joint_accuracy", 1.01),
        ("pairs", 0),
        ("joint_accuracy_by_number", [0.5] * 9),
        ("sum_confusion", [[1, 2], [3, 4]]),
        ("digit_reliability", []),
        ("digit_confusion", [["<script>"] * 10] * 10),
    ],
)
def test_results_of_another_shape_are_refused(run: Run, name: str, value: object) -> None:
    change(run, lambda values: values.update({name: value}))
    with pytest.raises(RunError, match=rf"results\.json is damaged: {name}.* is ") as caught:
        load_run_files(run)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["results.json", "metrics.csv", "examples.safetensors"])
def test_a_missing_file_is_named(run: Run, name: str) -> None:
    (run.folder / name).unlink()
    with pytest.raises(RunError, match=f"has no {name}"):
        load_run_files(run)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("epoch,train_loss\n1,0.5\n", "has no train_digit_loss"),
        ("epoch,train_loss\n", "has no row"),
        (f"{TRAINING},validation_loss\n{'1,' * 9}1\n", "has no validation_digit_loss"),
        ("epoch,train_loss\n1,oops\n", "not all of its values are numbers"),
        ("epoch,train_loss\n1\n", "not all of its values are numbers"),
    ],
)
def test_damaged_metrics_are_refused(run: Run, content: str, message: str) -> None:
    (run.folder / "metrics.csv").write_text(content)
    with pytest.raises(RunError, match=message):
        load_run_files(run)


def test_metrics_of_training_alone_will_do(run: Run) -> None:
    (run.folder / "metrics.csv").write_text(f"{TRAINING}\n1,0.5,0.3,0.2,0.9,0.8,0.7,0.01,2.5\n")
    (row,) = load_run_files(run).metrics
    assert parts([row]) == ["train"]


def test_damaged_examples_are_refused(run: Run) -> None:
    tensors = run.examples
    run.save_examples({name: tensor for name, tensor in tensors.items() if name != "mistake_images"})
    with pytest.raises(RunError, match="has no mistake_images"):
        load_run_files(run)
    run.save_examples({**tensors, "sample_images": torch.zeros(24, 5, 5)})
    with pytest.raises(RunError, match="sample_images has a wrong shape"):
        load_run_files(run)
    (run.folder / "examples.safetensors").write_bytes(b"no tensors")
    with pytest.raises(RunError, match="is damaged"):
        load_run_files(run)


def test_a_model_that_is_gone_is_named(run: Run) -> None:
    path = run.folder / "config.json"
    path.write_text(path.read_text().replace('"exact-sum"', '"former-model"'))
    with pytest.raises(ModelError, match="former-model"):
        load_run_files(load_run(run.folder))
