"""``mnist-adder report``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mnist_adder.runs import Run

RunCLI = Callable[..., tuple[int, str, str]]


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
