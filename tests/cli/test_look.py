"""The commands that look: evaluate, predict, models, report."""

from __future__ import annotations

import contextlib
import io
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from mnist_adder import models
from mnist_adder.errors import PictureError
from mnist_adder.inference import preprocess
from mnist_adder.runs import Run

RunCLI = Callable[..., tuple[int, str, str]]


def test_models_lists_all_of_them(run_cli: RunCLI) -> None:
    code, out, _ = run_cli("models")
    assert code == 0
    for name in models.names():
        assert name in out
    assert "exact-sum --preset tiny: 99.4 % with fewer than 10,000 parameters" in out
    rows = json.loads(run_cli("models", "--json")[1])["models"]
    assert {row["name"]: row["parameters"] for row in rows}["binary-sum"] == 6_772_272


def test_json_is_one_object_and_nothing_else(run_cli: RunCLI, trained_run: Run, picture: str) -> None:
    code, out, err = run_cli("predict", picture, "7", "--run", str(trained_run.folder), "--json")
    assert (code, err) == (0, "")
    answer = json.loads(out)
    assert answer["sum"] == answer["digit"] + 7
    assert len(answer["digit_probabilities"]) == 10
    assert len(answer["sum_probabilities"]) == 19


def test_evaluate_says_what_was_asked_and_how(run_cli: RunCLI, trained_run: Run) -> None:
    code, out, _ = run_cli("evaluate", str(trained_run.folder), "--split", "validation", "--tta")
    assert code == 0
    assert "validation pairs, with test-time augmentation" in " ".join(out.split())


def test_a_damaged_tiff_is_one_line_too(
    trained_run: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = io.BytesIO()
    Image.new("1", (120, 160), 1).save(whole, "TIFF", compression="group4")
    chance, path, noise = random.Random(0), tmp_path / "damaged.tiff", ""
    for _ in range(200):
        damaged = bytearray(whole.getvalue())
        for _ in range(6):
            damaged[chance.randrange(8, len(damaged))] = chance.randrange(256)
        path.write_bytes(damaged)
        with contextlib.suppress(PictureError):
            preprocess(path)
        noise = capfd.readouterr().err
        if noise:
            break
    assert noise, "no file here makes the C library speak"
    command = [sys.executable, "-m", "mnist_adder", "predict", str(path), "1"]
    done = subprocess.run(
        [*command, "--run", str(trained_run.folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("mnist-adder: ")


def test_the_newest_run_answers_and_without_one_what_comes_with_the_package(
    run_cli: RunCLI, trained_run: Run, picture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run_cli("predict", picture, "8")
    assert (code, out.splitlines()[0]) == (0, "1 + 8 = 9")
    assert err == "Answered by the weights that come with the package.\n"
    shutil.copytree(trained_run.folder, tmp_path / "runs" / "mine")
    code, _, err = run_cli("predict", picture, "8")
    assert (code, err) == (0, "Answered by runs/mine.\n")


def test_report_writes_a_page_where_it_says(
    run_cli: RunCLI, trained_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = run_cli("report", str(trained_run.folder), "--out", str(tmp_path / "page"))
    assert (code, err) == (0, "")
    page = tmp_path / "page" / "report.html"
    assert str(page) in out
    assert f"{100 * trained_run.results['joint_accuracy']:.2f}" in page.read_text()
    monkeypatch.chdir(tmp_path)
    code, out, _ = run_cli("report", str(trained_run.folder), str(trained_run.folder))
    assert code == 0
    assert "runs/report/report.html" in out
    assert (tmp_path / "runs" / "report" / "report.html").exists()
