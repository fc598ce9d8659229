"""Saving a comparison of models: a page with its table and two plots, and the results behind them.

Everything that is published about the models is read from the folder that this writes.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from matplotlib.figure import Figure

from mnist_adder.comparison.compare import Comparison, Row
from mnist_adder.errors import RunError
from mnist_adder.reports.axes import log_axis, stretch_accuracy
from mnist_adder.reports.style import MARKERS, SERIES, legend, panels, save_figure, styled
from mnist_adder.run_config import network_name
from mnist_adder.safe_io import write_json, write_text


def save_comparison(comparison: Comparison, folder: Path) -> Path:
    """Write comparison.md, comparison.json, two plots, and each run's results as ``runs/NAME-seedN.json``.

    Args:
        comparison: from :func:`mnist_adder.comparison.compare.compare`.
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
    save_figure(accuracy_against("parameters", comparison.rows), folder / "parameters.png")
    save_figure(accuracy_against("seconds", comparison.rows), folder / "seconds.png")
    return folder / "comparison.md"


def _file_name(result: dict[str, Any]) -> str:
    """``exact-sum-tiny-seed0``: model, preset and seed, without what a shell would have to quote."""
    return re.sub(r"[^a-z0-9]+", "-", f"{network_name(result)}-seed{result['seed']}")


def _page(comparison: Comparison) -> str:
    commits = ", ".join(commit[:12] for commit in comparison.commits) or "unknown"
    return (
        "# Comparison\n\n"
        f"{comparison_table(comparison)}\n\n"
        "![Joint accuracy against parameters](parameters.png)\n\n"
        "![Joint accuracy against seconds of training](seconds.png)\n\n"
        f"Source commit: {commits}. Each run's results: `runs/`. The table as JSON: `comparison.json`.\n"
    )


def comparison_table(comparison: Comparison) -> str:
    """The models side by side as a Markdown table, and below it what was counted and on which machine."""
    lines = [
        "| model | parameters | multiply-adds | epochs | seconds | digit | sum | both | inconsistent |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in comparison.rows:
        accuracies = " | ".join(in_percent(row, f"{what}_accuracy") for what in ("digit", "sum", "joint"))
        lines.append(
            f"| `{row.model}` | {row.parameters:,} | {row.multiply_adds / 1e6:.1f} M | {row.epochs} "
            f"| {in_seconds(row)} | {accuracies} | {in_percent(row, 'inconsistency')} |"
        )
    return "\n".join([*lines, "", _legend(comparison)])


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


def in_percent(row: Row, measure: str) -> str:
    """A fraction of a row in percent, ``99.12 ± 0.03``, or ``99.12`` for a single seed."""
    mean, std = (100 * getattr(row, f"{measure}_{which}") for which in ("mean", "std"))
    return plus_minus(mean, std) if len(row.seeds) > 1 else f"{mean:.2f}"


def in_seconds(row: Row, places: int = 0) -> str:
    """Seconds of training, likewise, with so many decimal places."""
    mean, std = row.train_seconds_mean, row.train_seconds_std
    return plus_minus(mean, std, places) if len(row.seeds) > 1 else f"{mean:.{places}f}"


def plus_minus(mean: float, std: float, places: int = 2) -> str:
    """Mean and deviation as text, ``99.12 ± 0.03``, with so many decimal places."""
    return f"{mean:.{places}f} ± {std:.{places}f}"


@styled
def accuracy_against(cost: Literal["parameters", "seconds"], rows: Sequence[Row]) -> Figure:
    """Joint accuracy against what it costs; bars are one standard deviation over the seeds."""
    costs = [float(row.parameters if cost == "parameters" else row.train_seconds_mean) for row in rows]
    labels = [row.model for row in rows]
    figure, (axes,) = panels(1, 3.5, labels)
    points: list[Any] = []  # a legend takes what errorbar returns, though no Artist
    for place, row in enumerate(rows):
        look: dict[str, Any] = {"color": SERIES[place % len(SERIES)], "marker": MARKERS[place % len(MARKERS)]}
        mean, std = row.joint_accuracy_mean, row.joint_accuracy_std
        points.append(axes.errorbar(costs[place], mean, std, ls="none", markersize=6, capsize=4, **look))
    log_axis(axes, "x", costs)
    ends = [row.joint_accuracy_mean + sign * row.joint_accuracy_std for row in rows for sign in (-1, 1)]
    stretch_accuracy(axes, ends)
    axes.set_title("digit and sum both right: mean and standard deviation over the seeds")
    axes.set_xlabel(f"{cost}{' of training' * (cost == 'seconds')}, on a logarithmic scale")
    legend(figure, points, labels)
    return figure
