"""A speedrun's folder is a run like any other, and what the package says of itself was measured."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from mnist_adder import speedrun as package
from mnist_adder.data.images import load_images
from mnist_adder.errors import RunError
from mnist_adder.evaluation.evaluate import evaluate_run
from mnist_adder.inference import Predictor
from mnist_adder.inference.export import export_run
from mnist_adder.reports import report
from mnist_adder.runs import Run, load_run
from mnist_adder.speedrun import speedrun

RESULTS = Path(__file__).parents[2] / "results" / "speedrun.json"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return speedrun(seed=3, dataset="digits", run_dir=tmp_path_factory.mktemp("speedrun") / "run")


def test_it_leaves_the_folder_that_train_leaves(run: Run, trained_run: Run) -> None:
    assert load_run(run.folder) == run
    files = [
        sorted(path.name for path in one.folder.iterdir() if path.is_file()) for one in (run, trained_run)
    ]
    assert files[0] == files[1]
    assert list(run.results) == list(trained_run.results)
    assert run.results["joint_accuracy"] > 0.8
    assert run.results["command"] == "mnist-adder speedrun --dataset digits --seed 3"
    (row,) = run.metrics
    with (trained_run.folder / "metrics.csv").open() as file:
        columns = csv.DictReader(file).fieldnames or []
    assert list(row) == [name for name in columns if not name.startswith("validation_")]
    assert row["train_joint_accuracy"] > 0.8


def test_what_reads_runs_reads_it(run: Run, tmp_path: Path) -> None:
    assert evaluate_run(run).joint_accuracy == run.results["joint_accuracy"]
    answer = Predictor(run.folder).predict(load_images("digits").test_images[0].numpy(), 2)
    assert answer.sum == answer.digit + 2
    assert export_run(run, tmp_path / "model.onnx").read_bytes() == (run.folder / "model.onnx").read_bytes()
    assert "mnist-adder speedrun --dataset digits --seed 3" in report([run], tmp_path / "report").read_text()


def test_folders_and_seeds_that_will_not_do_are_refused(run: Run, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not empty"):
        speedrun(dataset="digits", run_dir=run.folder)
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        speedrun(seed=-1, dataset="digits", run_dir=tmp_path / "no")
    assert not (tmp_path / "no").exists()


def test_the_package_states_what_was_measured() -> None:
    measured = json.loads(RESULTS.read_text())
    ours = measured["fast"]
    right, version = ours["joint_accuracy"], measured["versions"]["torch"].partition("+")[0]
    says = " ".join((package.__doc__ or "").split())
    assert f"{100 * right['mean']:.2f} ± {100 * right['std']:.2f} % of all test pairs right" in says
    assert f"after {ours['seconds']['median']:.2f} seconds of training" in says
    assert f"the mean of {right['n']} seeds" in says
    assert f"PyTorch {version} " in says
    assert (measured["split"], measured["cores"], measured["threads"]) == ("test", 2, 2)
