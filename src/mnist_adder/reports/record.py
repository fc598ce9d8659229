"""Writing a comparison down: a table in words and figures, two plots, and the results behind them.

A Comparison comes in, a folder of files goes out; everything published about models is read from it.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from matplotlib.figure import Figure

from mnist_adder.errors import RunError
from mnist_adder.evaluation.compare import Comparison, Row
from mnist_adder.evaluation.findings import findings
from mnist_adder.reports.comparison import accuracy_against_parameters, accuracy_against_seconds
from mnist_adder.reports.render import png
from mnist_adder.safe_io import write_bytes, write_json, write_text


def save_comparison(comparison: Comparison, folder: Path) -> Path:
    """Write comparison.md, comparison.json, two plots, and each run's results as ``runs/MODEL-seedN.json``.

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
            write_json(folder / "runs" / f"{result['model']}-seed{result['seed']}.json", result)
        write_json(
            folder / "comparison.json",
            {
                "rows": [dataclasses.asdict(row) for row in comparison.rows],
                "findings": [dataclasses.asdict(finding) for finding in findings(comparison)],
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
    """The models side by side as a Markdown table, and below it what they ran on."""
    lines = [
        "| model | parameters | multiply-adds | epochs | seconds | digit | sum | both | inconsistencies |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [_line(row) for row in comparison.rows]
    return "\n".join([*lines, "", _legend(comparison)])


def _legend(comparison: Comparison) -> str:
    about, seeds = comparison.protocol, comparison.rows[0].seeds
    runs = f"{len(seeds)} runs (seeds {', '.join(map(str, seeds))})" if len(seeds) > 1 else "one run"
    threads = f"{about['threads']} thread{'s' * (about['threads'] > 1)}"
    return (
        f"Percent of all {about['pairs']:,} test pairs, counted; mean ± standard deviation of {runs} on "
        f"{about['dataset']}. Both: digit and sum right on the same pair. Contradictions: the sum answered "
        "is not the digit answered plus the number. Multiply-adds of one pair. Seconds of training with "
        f"{threads} of {about['device']}, {about['precision']}, PyTorch {about['versions']['torch']}."
    )


def _line(row: Row) -> str:
    return (
        f"| `{row.model}` | {row.parameters:,} | {row.multiply_adds / 1e6:.1f} M | {row.epochs} "
        f"| {row.seconds()} | {row.percent('digit_accuracy')} | {row.percent('sum_accuracy')} "
        f"| {row.percent('joint_accuracy')} | {row.percent('inconsistency')} |"
    )


def comparison_words(comparison: Comparison) -> str:
    """What the comparison says, as Markdown paragraphs."""
    return "\n\n".join(f"**{finding.question}** {finding.answer}" for finding in findings(comparison))


def _page(comparison: Comparison) -> str:
    commits = ", ".join(commit[:12] for commit in comparison.commits) or "unknown"
    return (
        "# Comparison\n\n"
        f"{comparison_table(comparison)}\n\n"
        f"{comparison_words(comparison)}\n\n"
        "![Joint accuracy against parameters](parameters.png)\n\n"
        "![Joint accuracy against seconds of training](seconds.png)\n\n"
        f"Source commit: {commits}. Each run's results: `runs/`. In figures: `comparison.json`.\n"
    )
