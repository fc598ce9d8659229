"""``mnist-adder compare``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.conftest import RunCLI

from mnist_adder.runs import load_run


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


@pytest.mark.parametrize("wrong", [("--seeds", "0"), ("--epochs-scale", "-1"), ("--epochs-scale", "inf")])
def test_nonsense_is_refused(run_cli: RunCLI, wrong: tuple[str, str]) -> None:
    code, out, err = run_cli("compare", "exact-sum", "--dataset", "digits", *wrong)
    assert (code, out) == (2, "")
    assert f"'{wrong[0]}'" in err
