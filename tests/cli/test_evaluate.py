"""``mnist-adder evaluate``; test_train counts with it what training counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.conftest import RunCLI
from tests.pen.strokes import write_arrays

from mnist_adder.runs import Run


def test_evaluate_says_what_was_asked_and_how(run_cli: RunCLI, trained_run: Run) -> None:
    code, out, _ = run_cli("evaluate", str(trained_run.folder), "--split", "validation", "--tta")
    assert code == 0
    assert "validation pairs, with test-time augmentation" in " ".join(out.split())


def test_evaluate_on_strangers_digits(
    run_cli: RunCLI, trained_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_arrays(tmp_path)
    monkeypatch.delenv("MNIST_ADDER_STROKES", raising=False)
    code, _, err = run_cli("evaluate", str(trained_run.folder), "--on", "pen")
    assert code == 2
    assert "MNIST_ADDER_STROKES" in err
    monkeypatch.setenv("MNIST_ADDER_STROKES", str(tmp_path))
    code, out, _ = run_cli("evaluate", str(trained_run.folder), "--on", "pen", "--json")
    assert code == 0
    answer = json.loads(out)
    assert (answer["dataset"], answer["split"], answer["pairs"]) == (
        "pen",
        "validation",
        50,
    )  # a seven, drawn 5 times
    assert "outliers" not in answer  # it was not taught to tell
    code, out, _ = run_cli("evaluate", "default", "--on", "digits", "--json")
    assert code == 0
    answer = json.loads(out)
    assert (answer["dataset"], answer["split"], answer["pairs"]) == ("digits", "all", 17_970)
    assert answer["joint_accuracy"] > 0.97


def test_evaluate_on_pen_says_what_is_no_digit(
    run_cli: RunCLI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_arrays(tmp_path)
    monkeypatch.setenv("MNIST_ADDER_STROKES", str(tmp_path))
    code, out, _ = run_cli("evaluate", "tiny", "--on", "pen")
    assert code == 0
    assert "5 digits and 5 other characters of held-out writers" in " ".join(out.split())
    code, out, _ = run_cli("evaluate", "tiny", "--on", "pen", "--json")
    assert json.loads(out)["outliers"]["auroc"] == 1  # a seven and a cross
