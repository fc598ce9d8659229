"""The tables of a report: what was measured, by epoch, by layer, by number; all cells are text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mnist_adder.models.summary import Layer
from mnist_adder.reports.contents import Contents, parts
from mnist_adder.reports.layers import Reads, setting
from mnist_adder.reports.scales import plain
from mnist_adder.reports.style import percent


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One value of ``results.json``."""

    field: str  # its name there
    label: str
    value: str
    meaning: str


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of text; the first ``left`` columns begin at the left, the others, numbers, end at the right."""

    caption: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 1
    total: Sequence[str] | None = None  # a last row
    groups: Sequence[tuple[str, int]] = ()  # what stands above so many columns


_PERCENT = {
    "joint_accuracy": ("both right", "digit and sum right on the same pair: the figure to compare"),
    "digit_accuracy": ("digit right", "pairs with the digit right"),
    "sum_accuracy": ("sum right", "pairs with the sum right"),
    "mean_accuracy": ("mean of digit and sum", "as some published models score themselves"),
    "product_accuracy": ("product of digit and sum", "as others do"),
    "digit_consistency": (
        "same digit for all numbers",
        "images whose digit answered does not depend on the number",
    ),
    "inconsistency": ("inconsistent", "pairs whose sum is not the digit answered plus the number"),
    "digit_calibration_error": ("calibration error, digit", "how far confidence and accuracy lie apart"),
    "sum_calibration_error": ("calibration error, sum", "the same of the sum"),
}


def facts(contents: Contents) -> list[Fact]:
    """What was measured, and what it took."""
    results = contents.results
    measured = [
        Fact(field=field, label=label, value=percent(results[field]), meaning=meaning)
        for field, (label, meaning) in _PERCENT.items()
    ]
    losses = [
        Fact(
            field=f"{what}_loss",
            label=f"{what}'s loss",
            value=f"{results[f'{what}_loss']:.4f}",
            meaning="mean over the pairs, as the model defines it",
        )
        for what in ("digit", "sum")
    ]
    epochs, kept = int(results["epochs"]), int(results["best_epoch"])
    kept_words = "the last one's weights were kept" if kept == epochs else f"epoch {kept}'s weights were kept"
    config = contents.run.config
    took = [
        ("pairs", "test pairs", f"{results['pairs']:,}", "every test image with each of the ten numbers"),
        ("parameters", "parameters", f"{results['parameters']:,}", "trainable"),
        ("multiply_adds", "multiply-adds", f"{results['multiply_adds']:,}", "to answer one pair"),
        ("epochs", "epochs", f"{epochs}", kept_words),
        ("train_seconds", "seconds of training", f"{results['train_seconds']:,.1f}", config.device),
    ]
    costs = [Fact(field=name, label=label, value=value, meaning=note) for name, label, value, note in took]
    return [*measured, *losses, *costs]


def summary(labels: Sequence[str], contents: Sequence[Contents]) -> Table:
    """A row a run, the best first."""
    datasets = " and ".join(sorted({one.run.config.dataset for one in contents}))
    rows = []
    for label, one in sorted(zip(labels, contents, strict=True), key=lambda pair: -_joint(pair[1])):
        results, config = one.results, one.run.config
        rows.append(
            [
                label,
                str(config.seed),
                f"{results['parameters']:,}",
                f"{results['multiply_adds']:,}",
                f"{int(results['epochs'])}",
                f"{results['train_seconds']:,.1f}",
                *(_number(results[f"{what}_accuracy"]) for what in ("digit", "sum", "joint")),
                _number(results["inconsistency"]),
            ]
        )
    return Table(
        caption=f"Runs on {datasets}, the one with most pairs right first. Digit, sum, both and "
        "inconsistent are percent of all test pairs.",
        heads=[
            *["run", "seed", "parameters", "multiply-adds", "epochs", "seconds"],
            *["digit", "sum", "both", "inconsistent"],
        ],
        rows=rows,
    )


def epochs(metrics: Sequence[dict[str, float]]) -> Table:
    """What metrics.csv has, a row an epoch."""
    counted, rows = parts(metrics), []
    for row in metrics:
        cells = [f"{row['epoch']:.0f}"]
        for part in counted:
            cells.append(f"{row[f'{part}_loss']:.4f}")
            cells += [percent(row[f"{part}_{what}_accuracy"]) for what in ("digit", "sum", "joint")]
        rows.append([*cells, plain(row["learning_rate"]), f"{row['seconds']:.1f}"])
    return Table(
        caption="Each epoch. Digit, sum and both are the percentage of pairs on which they were right.",
        heads=["epoch", *["loss", "digit", "sum", "both"] * len(counted), "learning rate", "seconds"],
        rows=rows,
        left=0,
        groups=[("", 1), *[("training", 4), ("validation", 4)][: len(counted)], ("", 2)],
    )


def by_number(contents: Contents) -> Table:
    """Joint accuracy for each number."""
    accuracies = contents.results["joint_accuracy_by_number"]
    return Table(
        caption="Both right, by number",
        heads=["number", *map(str, range(len(accuracies)))],
        rows=[["both right", *map(percent, accuracies)]],
    )


def layers(contents: Contents) -> Table:
    """Every layer with its shapes, parameters and cost, in the order of the work."""
    summary = contents.summary
    parameters = sum(layer.parameters for layer in summary.layers)
    return Table(
        caption="Every layer, in the order of its work; shapes and multiply-adds are those of one pair.",
        heads=["layer", "kind", "setting", "depends on", "input", "output", "parameters", "multiply-adds"],
        rows=[_layer_row(*pair) for pair in zip(summary.layers, contents.dependence.layers, strict=True)],
        left=4,
        total=["all", "", "", "", "", "", f"{parameters:,}", f"{summary.multiply_adds:,}"],
    )


def confusions(contents: Contents, most: int = 5) -> Table:
    """Which digits were taken for which, the most frequent first."""
    counts = contents.results["digit_confusion"]
    found = [
        (count, truth, answer)
        for truth, row in enumerate(counts)
        for answer, count in enumerate(row)
        if truth != answer and count
    ]
    found.sort(key=lambda one: (-one[0], one[1:]))
    return Table(
        caption="The most frequent confusions of digits",
        heads=["digit", "answered", "pairs", "of the digit's pairs"],
        rows=[
            [str(truth), str(answer), f"{count:,}", percent(count / sum(counts[truth]))]
            for count, truth, answer in found[:most]
        ],
        left=0,
    )


def recipe(contents: Contents) -> Table:
    """All settings that the run was trained by."""
    values = contents.run.config.to_json()["recipe"]
    return Table(
        caption="The recipe",
        heads=["setting", "value"],
        rows=[[name, str(value)] for name, value in values.items()],
    )


def _number(fraction: float) -> str:
    """Percent without the sign, where a table is wide and its caption says what it is."""
    return percent(fraction).removesuffix("\u00a0%")


def _joint(contents: Contents) -> float:
    return float(contents.results["joint_accuracy"])


def _layer_row(layer: Layer, reads: Reads) -> list[str]:
    return [
        layer.name,
        type(layer.module).__name__,
        setting(layer.module),
        {"both": "both", "neither": "nothing"}.get(reads, f"the {reads}"),
        _shape(layer.input_shape),
        _shape(layer.output_shape),
        f"{layer.parameters:,}",
        f"{layer.multiply_adds:,}",
    ]


def _shape(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))
