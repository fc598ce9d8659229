"""The commands that learn: train, find-lr, compare."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from mnist_adder.runs import load_run

RunCLI = Callable[..., tuple[int, str, str]]


def test_train_then_evaluate_then_predict(run_cli: RunCLI, tmp_path: Path, picture: str) -> None:
    folder = tmp_path / "run"
    code, out, err = run_cli(
        "train",
        "exact-sum",
        "--dataset",
        "digits",
        "--epochs",
        "2",
        "--run-dir",
        str(folder),
        "--set",
        "batch_size=64",
    )
    assert code == 0
    assert f"Run folder: {folder}" in out
    assert "predict PICTURE NUMBER" in out
    assert "digits" in out
    assert "scikit-learn" in err
    assert "  2/2 " in err
    results = load_run(folder).results
    assert results["recipe"]["batch_size"] == 64

    code, out, _ = run_cli("evaluate", str(folder))
    assert code == 0
    assert f"{100 * results['joint_accuracy']:.2f}" in out

    code, out, _ = run_cli("evaluate", str(folder), "--json")
    assert json.loads(out)["joint_accuracy"] == pytest.approx(results["joint_accuracy"], abs=1e-6)

    code, out, err = run_cli("predict", picture, "7", "--run", str(folder))
    assert (code, err) == (0, "")
    assert " + 7 = " in out


def test_ctrl_c_says_how_to_carry_on(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "mnist_adder", "train", "--dataset", "digits", "--epochs", "1000"]
    with subprocess.Popen(
        [*command, "--run-dir", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("  2/1000"):
                process.send_signal(signal.SIGINT)
                break
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert err.endswith(f"Stopped. Resume with: mnist-adder train --resume {folder}\n")
    assert "Traceback" not in err
    assert len(load_run(folder).metrics) >= 2


def test_find_lr_suggests_a_rate_and_keeps_the_curve(run_cli: RunCLI, tmp_path: Path) -> None:
    code, out, _ = run_cli("find-lr", "exact-sum", "--dataset", "digits", "--out", str(tmp_path / "lr"))
    assert code == 0
    rate = out.splitlines()[0].rpartition(" ")[2]
    assert f"train exact-sum --set learning_rate={rate}" in out
    with (tmp_path / "lr" / "exact-sum.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert float(rows[0]["learning_rate"]) < float(rate) < float(rows[-1]["learning_rate"])
    with Image.open(tmp_path / "lr" / "exact-sum.png") as picture:
        assert picture.width > 800


def test_compare_trains_and_compares_and_then_only_compares(run_cli: RunCLI, tmp_path: Path) -> None:
    arguments = ["compare", "exact-sum", "learned-sum", "--dataset", "digits", "--seeds", "2"]
    arguments += [
        "--epochs-scale",
        "0.25",
        "--runs-dir",
        str(tmp_path / "runs"),
        "--out",
        str(tmp_path / "out"),
    ]
    code, out, err = run_cli(*arguments)
    assert code == 0
    assert "Run 4 of 4: learned-sum, seed 1." in err
    assert {"exact-sum", "learned-sum"} <= {line.split()[0] for line in out.splitlines() if line.strip()}
    assert str(tmp_path / "out") in out
    rows = json.loads((tmp_path / "out" / "comparison.json").read_text())["rows"]
    accuracies = [
        load_run(tmp_path / "runs" / f"exact-sum-seed{seed}").results["joint_accuracy"] for seed in (0, 1)
    ]
    (exact,) = [row for row in rows if row["model"] == "exact-sum"]
    assert exact["joint_accuracy_mean"] == sum(accuracies) / 2
    assert f"{100 * exact['joint_accuracy_mean']:.2f}" in out

    code, again, err = run_cli(*arguments)
    assert (code, again) == (0, out)
    assert err.count("already") == 4
    assert "epoch " not in err
