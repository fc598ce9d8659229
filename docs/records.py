"""The tables of presets, the speedrun and faults, for ``tables.py``: what files in ``results/`` say of them.

A row comes from a file that a script in ``benchmarks/`` has written; where there is no file there is no row.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mnist_adder import models
from mnist_adder.evaluation.compare import Row, mean_std
from mnist_adder.models.summary import summarize
from mnist_adder.reports.comparison import in_percent, in_seconds, plus_minus

RESULTS = Path(__file__).parent.parent / "results"
HEAD = [
    "| preset | parameters | multiply-adds | seconds of training | both right | runs |",
    "|---|--:|--:|--:|--:|--:|",
]


def presets() -> str:
    """All presets, the quickest first, and how they were measured."""
    return "\n".join([*HEAD, *_fast(), *_size(), *_accuracy()]) + (
        "\n\nPercent of all 100,000 test pairs on which digit and sum are right, mean ± standard deviation; "
        "trained on all 60,000 training images, `fast`, by `mnist-adder speedrun`, on nine tenths of them. "
        "Seconds: for `fast` the median, from the files' bytes to the weights, with two threads; for the "
        f"others the mean, with one{_threads()}."
    )


def _fast() -> list[str]:
    measured = _read("speedrun.json")
    if measured is None:
        return []
    ours = measured["fast"]
    right = ours["joint_accuracy"]
    accuracy = plus_minus(100 * right["mean"], 100 * right["std"], 2)
    return [_row("fast", "fast", 1, f"{ours['seconds']['median']:.2f}", accuracy, right["n"])]


def speedrun() -> str:
    """The speedrun beside other trainings, each timed from the files' bytes to the weights."""
    measured = json.loads((RESULTS / "speedrun.json").read_text())
    sides = {
        "fast": "`mnist-adder speedrun`",
        "public": "the fastest public PyTorch recipe we know",
        "public, channels last": "the same with channels-last memory",
    }
    slow, floor, versions = measured["logit_mlp_as_published"], measured["floor"], measured["versions"]
    times = f"{slow['ratio_of_seconds']:.0f}"
    lines = [
        "| training | seconds | CPU seconds | times the speedrun's seconds | both right | runs |",
        "|---|--:|--:|--:|--:|--:|",
        *(_speedrun_row(label, measured[side], _times(measured, side)) for side, label in sides.items()),
        f"| `logit-mlp` as its source describes | {slow['seconds']:.0f} | | {times} | | 1 |",
    ]
    epochs = f"{slow['epochs_measured']} of its {slow['epochs_published']} epochs"
    return "\n".join(lines) + (
        "\n\nMedians, with the range in brackets, and percent of all 100,000 test pairs on which digit and "
        "sum are right, mean ± standard deviation. Each run is a fresh process; the trainings ran in turn, "
        f"seed by seed, and the times are ratios of runs with the same seed. {measured['cores']} cores of "
        f"{measured['device']}, {measured['threads']} threads, PyTorch {versions['torch']}, Python "
        f"{versions['python']}, commit {measured['commit'][:7]}. Of `logit-mlp` {epochs} was measured and "
        f"scaled. Unpacking and multiply-adds alone would take {floor['seconds']:.2f} s here: the speedrun "
        f"takes {floor['times_above']:.1f} times that."
    )


def _speedrun_row(label: str, side: dict[str, Any], times: str) -> str:
    seconds, right = side["seconds"], side["joint_accuracy"]
    spread = f"{seconds['median']:.2f} ({seconds['min']:.2f} to {seconds['max']:.2f})"
    cpu_seconds = f"{side['cpu_seconds']['median']:.2f}"
    accuracy = plus_minus(100 * right["mean"], 100 * right["std"], 2)
    return f"| {label} | {spread} | {cpu_seconds} | {times} | {accuracy} | {right['n']} |"


def _times(measured: dict[str, Any], side: str) -> str:
    ratio = measured["ratio_of_seconds"].get(side)
    return f"{ratio['median']:.1f} ({ratio['min']:.1f} to {ratio['max']:.1f})" if ratio else "1"


def _threads() -> str:
    measured = _read("accuracy.json")
    return "" if measured is None or measured["threads"] == 1 else f" (`best` with {measured['threads']})"


def _size() -> list[str]:
    measured = _read("size.json")
    if measured is None:
        return []
    rows = [Row(**row) for row in measured["rows"] if "tiny" in row["model"]]
    lines = []
    for row in sorted(rows, key=lambda row: -row.parameters):
        name = row.model.partition("(")[2].rstrip(")")
        lines.append(_row(name, name, 1, in_seconds(row), in_percent(row, "joint_accuracy"), len(row.seeds)))
    return lines


def _accuracy() -> list[str]:
    measured = _read("accuracy.json")
    if measured is None:
        return []
    ensemble_size = len(measured["train_seconds"])
    seconds = plus_minus(*mean_std(measured["train_seconds"]), 0)
    together = f"{sum(measured['train_seconds']):.0f}"
    lines = []
    for what, found in measured["rows"].items():
        kind, _, augmented = what.partition(", ")
        single = kind == "single"
        name = "best" if single else f"best, ensemble of {ensemble_size}"
        right = f"{100 * found['mean']:.2f}"
        if found["n"] > 1:
            right = plus_minus(100 * found["mean"], 100 * found["std"], 2)
        lines.append(
            _row(
                f"{name}, {augmented}" if augmented else name,
                "best",
                1 if single else ensemble_size,
                seconds if single else together,
                right,
                found["n"],
            )
        )
    return lines


def _row(label: str, preset: str, ensemble_size: int, seconds: str, accuracy: str, runs: int) -> str:
    model = models.build(models.DEFAULT, preset)
    cost = ensemble_size * summarize(model).multiply_adds
    parameters = ensemble_size * model.parameter_count()
    return f"| {label} | {parameters:,} | {cost / 1e6:.1f} M | {seconds} | {accuracy} | {runs} |"


def _read(name: str) -> dict[str, Any] | None:
    path = RESULTS / name
    return json.loads(path.read_text()) if path.exists() else None


def faults() -> str:
    """What was tried to break the product, and how much of it was survived, by package and kind."""
    measured = json.loads((RESULTS / "faults.json").read_text())
    lines = ["| package | attempt | tried | survived |", "|---|---|--:|--:|"]
    for file, kinds in measured["faults"].items():
        package = file.partition("/")[0] if "/" in file else "run folders"
        for kind, figures in kinds.items():
            lines.append(f"| {package} | {kind} | {figures['tried']:,} | {figures['survived']:,} |")
    return "\n".join(lines) + (
        f"\n\n{measured['tried']:,} attempts, {measured['survived']:,} survived, on {measured['device']}."
    )
