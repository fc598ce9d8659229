"""``mnist-adder speedrun``: what it prints, and how it ends where the folder is taken."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import RunCLI


def test_speedrun_prints_accuracy_seconds_folder_and_what_is_next(run_cli: RunCLI, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    code, out, err = run_cli("speedrun", "--dataset", "digits", "--run-dir", str(folder))
    assert code == 0
    assert "exact-sum (fast) on digits, 3,600 test pairs" in out
    assert "159,808 parameters, trained in " in out
    assert f"Run folder: {folder}" in out
    assert f"predict PICTURE NUMBER --run {folder}" in out
    assert "Speedrun on digits" in err

    code, out, err = run_cli("speedrun", "--dataset", "digits", "--run-dir", str(folder))
    assert (code, out) == (2, "")
    assert err.splitlines()[-1] == f"mnist-adder: {folder} is not empty. Name another folder with --run-dir."
