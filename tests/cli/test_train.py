"""``mnist-adder train``, and the commands that follow it."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.conftest import RunCLI

from mnist_adder.runs import Run, load_run


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


@pytest.mark.parametrize("seed", ["-1", "4294967296"])
def test_a_seed_out_of_range_is_refused(run_cli: RunCLI, seed: str) -> None:
    code, out, err = run_cli("train", "--dataset", "digits", "--seed", seed)
    assert (code, out) == (2, "")
    assert "'--seed'" in err


def test_ctrl_c_says_how_to_resume(tmp_path: Path) -> None:
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


@pytest.mark.parametrize(
    "option",
    [
        ["exact-sum"],
        ["--epochs", "2"],
        ["--seed", "0"],
        ["--set", "batch_size=64"],
        ["--preset", "tiny"],
        ["--ensemble", "2"],
        ["--dataset", "digits"],
        ["--run-dir", "elsewhere"],
        ["--patience", "1"],
        ["--devices", "1"],
        ["--nodes", "1"],
    ],
)
def test_resume_refuses_options_that_it_would_ignore(
    option: list[str], run_cli: RunCLI, trained_run: Run
) -> None:
    code, out, err = run_cli("train", "--resume", str(trained_run.folder), *option)
    assert (code, out) == (2, "")
    named = option[0] if option[0].startswith("-") else "MODEL"
    assert f"so {named} cannot be given with it" in err
    assert err.endswith("begin a new run.\n")
    assert len(err.splitlines()) == 1


def test_resume_takes_the_folder_of_the_data(run_cli: RunCLI, trained_run: Run, tmp_path: Path) -> None:
    folder = shutil.copytree(trained_run.folder, tmp_path / "run")  # it gets a report
    code, _, err = run_cli("train", "--resume", str(folder), "--data-dir", str(tmp_path))
    assert code == 0
    assert "has ended already" in err
