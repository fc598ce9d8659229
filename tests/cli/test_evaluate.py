"""``mnist-adder evaluate``; test_train counts with it what training counted."""

from __future__ import annotations

from tests.cli.conftest import RunCLI

from mnist_adder.runs import Run


def test_evaluate_says_what_was_asked_and_how(run_cli: RunCLI, trained_run: Run) -> None:
    code, out, _ = run_cli("evaluate", str(trained_run.folder), "--split", "validation", "--tta")
    assert code == 0
    assert "validation pairs, with test-time augmentation" in " ".join(out.split())
