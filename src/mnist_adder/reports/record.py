"""Saving a comparison: a page with its table and two plots, and the results behind them.

Everything that is published about the models is read from the folder that this writes.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from mnist_adder.errors import RunError
from mnist_adder.evaluation.compare import Comparison, Row
from mnist_adder.reports.comparison import accuracy_against_parameters, accuracy_against_seconds
from mnist_adder.reports.render import png
from mnist_adder.run_config import network_name
from mnist_adder.safe_io import write_bytes, write_json, write_text


def save_comparison(comparison: Comparison, folder: Path) -> Path:
    """Write comparison.md, comparison.json, two plots, and each run's results as ``runs/NAME-seedN.json``.

    Args:
        comparison: from :func:`mnist_adder.evaluation.compare.compare`.
        folder: made if it is not there; files of the same names are replaced.

    Returns:
        The path of comparison.md.

    Raises:
        RunError: the folder cannot be written to.
    """
    try:
        (folder / "runs").mkdir(parents=True, exist_ok=True)
        for result in comparison.runs:
            write_json(folder / "runs" / f"{_file_name(result)}.json", result)
        write_json(
            folder / "comparison.json",
            {
                "rows": [dataclasses.asdict(row) for row in comparison.rows],
                "protocol": comparison.protocol,
                "commits": comparison.commits,
            },
        )
        write_text(folder / "comparison.md", _page(comparison))
    except OSError as error:
        raise RunError(f"{folder} cannot be written to: {error.strerror}.") from None
    save_figure(accuracy_against_parameters(comparison.rows), folder / "parameters.png")
    save_figure(accuracy_against_seconds(comparison.rows), folder / "seconds.png")
    return folder / "comparison.md"


def _file_name(result: dict[str, Any]) -> str:
    """``exact-sum-tiny-seed0``: model, preset and seed, without what a shell would have to quote."""
    return re.sub(r"[^a-z0-9]+", "-", f"{network_name(result)}-seed{result['seed']}")


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, whole or not at all; its folder is made if it is not there.

    Raises:
        RunError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, png(figure))
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror}.") from None


def comparison_table(comparison: Comparison) -> str:
    """The models side by side as a Markdown table, and below it what was counted and on which machine."""
    lines = [
        "| model | parameters | multiply-adds | epochs | seconds | digit | sum | both | inconsistent |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [_line(row) for row in comparison.rows]
    return "\n".join([*lines, "", _legend(comparison)])


def in_percent(row: Row, measure: str) -> str:
    """A fraction of a row in percent, ``99.12 ± 0.03``, or ``99.12`` for a single seed."""
    return _mean_std(row, 100 * getattr(row, f"{measure}_mean"), 100 * getattr(row, f"{measure}_std"), 2)


def in_seconds(row: Row, places: int = 0) -> str:
    """Seconds of training, likewise, with so many decimal places."""
    return _mean_std(row, row.train_seconds_mean, row.train_seconds_std, places)


def _mean_std(row: Row, mean: float, std: float, places: int) -> str:
    return plus_minus(mean, std, places) if len(row.seeds) > 1 else f"{mean:.{places}f}"


def plus_minus(mean: float, std: float, places: int) -> str:
    """Mean and deviation as text, ``99.12 ± 0.03``, with so many decimal places."""
    return f"{mean:.{places}f} ± {std:.{places}f}"


def _legend(comparison: Comparison) -> str:
    about, seeds = comparison.protocol, comparison.rows[0].seeds
    runs = f"{len(seeds)} runs (seeds {', '.join(map(str, seeds))})" if len(seeds) > 1 else "one run"
    threads = f"{about['threads']} thread{'s' * (about['threads'] > 1)}"
    return (
        f"Percent of all {about['pairs']:,} test pairs, counted; mean ± standard deviation of {runs} on "
        f"{about['dataset']}. Both: digit and sum right on the same pair. Inconsistent: the sum answered "
        "is not the digit answered plus the number. Multiply-adds of one pair. Seconds of training with "
        f"{threads} of {about['device']}, {about['precision']}, PyTorch {about['versions']['torch']}."
    )


def _line(row: Row) -> str:
    return (
        f"| `{row.model}` | {row.parameters:,} | {row.multiply_adds / 1e6:.1f} M | {row.epochs} "
        f"| {in_seconds(row)} | {in_percent(row, 'digit_accuracy')} | {in_percent(row, 'sum_accuracy')} "
        f"| {in_percent(row, 'joint_accuracy')} | {in_percent(row, 'inconsistency')} |"
    )


def _page(comparison: Comparison) -> str:
    commits = ", ".join(commit[:12] for commit in comparison.commits) or "unknown"
    return (
        "# Comparison\n\n"
        f"{comparison_table(comparison)}\n\n"
        "![Joint accuracy against parameters](parameters.png)\n\n"
        "![Joint accuracy against seconds of training](seconds.png)\n\n"
        f"Source commit: {commits}. Each run's results: `runs/`. The table as JSON: `comparison.json`.\n"
    )
