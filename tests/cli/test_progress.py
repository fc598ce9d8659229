"""What one sees while it trains: on a terminal a bar with figures, everywhere a line an epoch."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from mnist_adder.cli.progress import HEADER, Progress, epoch_line
from mnist_adder.runs import Run
from mnist_adder.training.config import TrainConfig
from mnist_adder.training.train import train


def printed(folder: Path, *, terminal: bool) -> tuple[str, Run]:
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, width=120, color_system=None)
    settings: dict[str, str | float] = {"epochs": 2, "weight_averaging": "none"}
    run = train(
        TrainConfig(model="exact-sum", recipe=settings, dataset="digits", run_dir=folder),
        callbacks=lambda: [Progress(console)],
    )
    return text.getvalue(), run


def test_in_a_file_there_are_only_lines_with_the_figures_of_metrics_csv(tmp_path: Path) -> None:
    said, run = printed(tmp_path / "run", terminal=False)
    lines = said.splitlines()
    assert lines[:2] == HEADER.splitlines()
    assert len(lines) == 4
    for line, row in zip(lines[2:], run.metrics, strict=True):
        figures = [float(value) for value in line.split()[1:]]
        names = ["loss", *(f"{name}_accuracy" for name in ("digit", "sum", "joint"))]
        expected = [row[f"{part}_{name}"] for part in ("train", "validation") for name in names]
        scaled = [value if place % 4 == 0 else 100 * value for place, value in enumerate(expected)]
        assert len(figures) == len(scaled) + 1  # the last are the seconds
        assert figures[:-1] == pytest.approx(scaled, abs=0.0051)
        assert line == epoch_line(row, 2)


def test_on_a_terminal_a_bar_has_the_figures_of_the_epoch_so_far(tmp_path: Path) -> None:
    said, run = printed(tmp_path / "run", terminal=True)
    figures = r"loss ([\d.]+)  digit ([\d.]+)  sum ([\d.]+)  joint ([\d.]+)"
    bars = re.findall(rf"epoch (\d) [^\r\n]*? +(\d+)/40 [^\r\n]*?{figures}", said)
    assert len(bars) >= 2
    for epoch, done, loss, *accuracies in bars:
        assert int(epoch) in (1, 2)
        assert 1 <= int(done) <= 40
        assert float(loss) > 0
        assert all(0 <= float(value) <= 100 for value in accuracies)
        assert accuracies[0] == accuracies[2]  # the sum is computed: digit right is both right
    assert "  2/2 " in said
    assert run.results["epochs"] == 2
