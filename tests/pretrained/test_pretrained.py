"""The weights of the package: they answer at once, and are as good as they say."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from mnist_adder import load_pretrained, report
from mnist_adder.data.images import DigitImages, load_images
from mnist_adder.errors import RunError
from mnist_adder.evaluation.evaluate import evaluate_run
from mnist_adder.inference import Predictor
from mnist_adder.pretrained import folder_of, is_packaged, names, pretrained_folder

ROOT = Path(__file__).parents[2]


def test_the_default_is_there_and_all_are_small() -> None:
    assert names() == ["best", "default", "tiny"]
    files = [path for name in names() for path in pretrained_folder(name).iterdir()]
    assert sum(path.stat().st_size for path in files) < 3_000_000
    assert {path.suffix for path in files if path.is_file()} == {".json", ".csv", ".onnx", ".safetensors"}


def test_another_name_is_an_error_that_names_those_there_are() -> None:
    with pytest.raises(RunError, match=r"The package has no weights 'huge'\. It has: best, default, tiny"):
        load_pretrained("huge")


def test_what_a_report_shows_is_not_shipped_and_that_is_said() -> None:
    with pytest.raises(RunError, match=r"has no examples\.safetensors: weights of the package have none"):
        report([load_pretrained()])


@pytest.mark.parametrize("name", names())
def test_its_results_say_where_it_comes_from(name: str) -> None:
    results = load_pretrained(name).results
    assert results["dataset"] == "mnist+pen"
    assert results["pairs"] == 100_000
    assert len(results["data_sha256"]) == 64
    assert len(results["commit"]) == 40
    assert Predictor(load_pretrained(name)).metadata["model"] == results["model"]
    attribution = load_pretrained(name).config.attribution
    assert attribution is not None
    assert "CC BY 4.0" in attribution
    assert "10.5281/zenodo.1195803" in attribution


@pytest.mark.mnist
@pytest.mark.parametrize("name", names())
def test_it_scores_on_mnist_what_it_says(name: str) -> None:
    run = load_pretrained(name)
    metrics = dataclasses.asdict(evaluate_run(run))
    counted = [
        field for field in metrics if "loss" not in field and "calib" not in field and "reliab" not in field
    ]
    assert len(counted) >= 10
    assert {field: metrics[field] for field in counted} == {field: run.results[field] for field in counted}
    assert metrics["sum_loss"] == pytest.approx(run.results["sum_loss"], rel=1e-4)


@pytest.mark.mnist
@pytest.mark.parametrize("name", names())
def test_hardly_a_digit_that_is_read_is_taken_for_none(name: str, mnist: DigitImages) -> None:
    images = (mnist.test_images.float() / 255).numpy()
    answers = Predictor(load_pretrained(name)).predict_images(images, np.zeros(len(images), np.int64))
    refused = ~answers.is_digit & (answers.digits == mnist.test_digits.numpy())
    assert refused.mean() <= 0.001


@pytest.mark.parametrize("name", names())
def test_noise_and_a_cross_are_no_digits(name: str) -> None:
    predictor = Predictor(load_pretrained(name))
    noise = np.random.default_rng(0).random((1, 28, 28), dtype=np.float32)
    cross = np.zeros((1, 28, 28), np.float32)
    for step in range(5, 23):
        cross[0, step, step : step + 2] = cross[0, step, 27 - step : 29 - step] = 1
    assert not predictor.predict_images(noise, [0]).is_digit[0]
    assert not predictor.predict_images(cross, [0]).is_digit[0]


@pytest.mark.parametrize("name", names())
def test_onnx_and_weights_answer_alike(name: str, data: DigitImages) -> None:
    run = load_pretrained(name)
    images, numbers = data.test_images[:200].float() / 255, torch.arange(200) % 10
    answers = Predictor(run).predict_images(images.numpy(), numbers.numpy())
    with torch.inference_mode():
        model = run.load_model()
        outputs = model(images.unsqueeze(1), numbers)
        expected = model.sum_probabilities(outputs).numpy()
    np.testing.assert_allclose(answers.sum_probabilities, expected, atol=5e-5)


def test_predict_works_where_nothing_was_trained(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mnist_adder", "predict", str(ROOT / "examples" / "five.png"), "7"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("5 + 7 = 12\n")
    assert "the weights of the package" in done.stderr


def test_a_name_means_the_package_unless_there_is_such_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert folder_of("best") == pretrained_folder("best")
    assert folder_of("runs/mine") == Path("runs/mine")
    (tmp_path / "best").mkdir()
    assert folder_of("best") == Path("best")
    assert is_packaged(pretrained_folder("best"))
    assert not is_packaged(folder_of("best"))


def test_latest_means_the_newest_finished_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError, match="There is no finished run in"):
        folder_of("latest")
    for seconds, name in enumerate(("older", "newer", "unfinished")):
        (tmp_path / "runs" / name).mkdir(parents=True)
        if name != "unfinished":
            (tmp_path / "runs" / name / "results.json").write_text("{}")
            os.utime(tmp_path / "runs" / name / "results.json", (seconds, seconds))
    assert folder_of("latest") == Path("runs/newer")


def test_they_are_in_the_wheel(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    for name in names():
        for file in pretrained_folder(name).iterdir():
            assert f"mnist_adder/pretrained/{name}/{file.name}" in inside
    assert {"mnist_adder/reports/templates/report.html", "mnist_adder/worksheet/network.png"} <= inside


def test_the_bundled_digits_are_no_reason_to_refuse() -> None:
    """They are another dataset: evaluating on them says so instead of scoring."""
    run = load_pretrained()
    data = load_images("digits")
    with pytest.raises(RunError, match="was trained on mnist"):
        run.check_data(data.sha256, data.origin)
