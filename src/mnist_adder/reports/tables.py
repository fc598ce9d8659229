"""The tables of a report: results, confusion, layers, settings, runs side by side; all cells are text."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from mnist_adder.comparison.compare import mean_std
from mnist_adder.models import Adder
from mnist_adder.models.layers import Crop
from mnist_adder.models.summary import summarize
from mnist_adder.reports.run_files import Results, RunFiles
from mnist_adder.reports.style import percent
from mnist_adder.types import NUMBERS


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of text; numbers end at the right of their column."""

    caption: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: Sequence[int] = (0,)  # the columns that hold words, which begin at the left
    total: Sequence[str] = ()  # a last row
    shades: Sequence[Sequence[float]] = ()  # of a confusion matrix: how dark each cell is, from 0 to 1


def results(found: Results) -> Table:
    """What was counted on the test images, and what it took."""
    low, high = wilson(found.joint_accuracy, found.pairs / NUMBERS)
    rows = [
        ("both right", percent(found.joint_accuracy), "digit and sum right on the same pair"),
        ("95 % interval", f"{percent(low)} – {percent(high)}", "of both right, for so many test images"),
        ("digit right", percent(found.digit_accuracy), ""),
        ("sum right", percent(found.sum_accuracy), ""),
        ("inconsistent", percent(found.inconsistency), "the sum answered is not the digit answered + number"),
        ("same digit", percent(found.digit_consistency), "images with one digit answer for all ten numbers"),
        ("calibration error, digit", percent(found.digit_calibration_error), "confidence against accuracy"),
        ("calibration error, sum", percent(found.sum_calibration_error), ""),
        ("loss, digit", f"{found.digit_loss:.4f}", "mean over the pairs, as the model defines it"),
        ("loss, sum", f"{found.sum_loss:.4f}", ""),
        ("pairs", f"{found.pairs:,}", "all test images, each with all ten numbers"),
        ("parameters", f"{found.parameters:,}", "trainable"),
        ("multiply-adds", f"{found.multiply_adds:,}", "to answer one pair"),
        ("epochs", f"{found.epochs}", ""),
        ("best epoch", f"{found.best_epoch}", "the one whose weights were kept"),
        ("seconds of training", f"{found.train_seconds:,.1f}", ""),
    ]
    return Table(caption="", heads=["measure", "value", "what it is"], rows=rows, words=(0, 2))


def wilson(accuracy: float, answers: float) -> tuple[float, float]:
    """The 95 % confidence interval of an accuracy that was counted over so many answers.

    Wilson's method stays within 0..1 and is right near 1, where the usual interval is not. scipy has it for
    whole counts alone, and importing that takes 0.6 s; here the answers may be a tenth of a count of pairs.
    Source: Wilson 1927, Probable Inference, the Law of Succession, and Statistical Inference.
    """
    z = 1.96
    middle = (accuracy + z**2 / (2 * answers)) / (1 + z**2 / answers)
    spread = accuracy * (1 - accuracy) / answers + z**2 / (4 * answers**2)
    half = z * math.sqrt(spread) / (1 + z**2 / answers)
    # Rounding must not push the ends beyond 0 and 1, nor leave the accuracy itself outside.
    return max(0.0, min(middle - half, accuracy)), min(1.0, max(middle + half, accuracy))


def by_number(found: Results) -> Table:
    """Accuracy with each number; without rows where the number makes no difference."""
    measures = {"both right": found.joint_accuracy_by_number, "inconsistent": found.inconsistency_by_number}
    return Table(
        caption="Percent of the test images with each number",
        heads=["number", *map(str, range(NUMBERS))],
        rows=[
            [label, *(f"{100 * fraction:.2f}" for fraction in fractions)]
            for label, fractions in measures.items()
            if len(set(fractions)) > 1
        ],
    )


def confusion(counts: Sequence[Sequence[int]], what: str) -> Table:
    """How often each digit or sum was answered for each true one, and how many of each were right."""
    rows, shades = [], []
    for truth, row in enumerate(counts):
        total = max(sum(row), 1)
        cells = [f"{count:,}" if count or truth == answer else "" for answer, count in enumerate(row)]
        rows.append([str(truth), *cells, percent(row[truth] / total, 1) if sum(row) else ""])
        # Mistakes are rare, so the colour grows with their logarithm: from 0.03 % of the row to 30 %.
        shades.append([min(max(math.log10(count / total + 1e-9) / 3 + 7 / 6, 0.0), 1.0) for count in row])
    return Table(
        caption=f"Pairs by true {what} (row) and {what} answered (column)",
        heads=["", *map(str, range(len(counts))), "right"],
        rows=rows,
        shades=shades,
    )


def layers(model: Adder) -> Table:
    """Every layer with its output's shape, parameters and cost for one pair, in the order of the work."""
    summary = summarize(model)
    return Table(
        caption="Every layer in the order of its work, for one pair",
        heads=["layer", "kind", "output", "parameters", "multiply-adds"],
        rows=[
            [
                layer.name,
                describe(layer.module),
                times(layer.output_shape),
                f"{layer.parameters:,}",
                f"{layer.multiply_adds:,}",
            ]
            for layer in summary.layers
        ],
        words=(0, 1),
        total=["all", "", "", f"{model.parameter_count():,}", f"{summary.multiply_adds:,}"],
    )


def describe(module: nn.Module) -> str:
    """A module's kind and what is worth knowing of it: ``Conv2d 3x3, padding 1``."""
    setting = ""
    if isinstance(module, nn.Conv2d):
        setting = f"{module.kernel_size[0]}x{module.kernel_size[1]}"
        setting += f", padding {module.padding[0]}" if module.padding not in ((0, 0), "valid") else ""
    elif isinstance(module, nn.MaxPool2d):
        setting = f"{module.kernel_size}x{module.kernel_size}"
    elif isinstance(module, nn.AdaptiveAvgPool2d):
        setting = f"to {module.output_size}x{module.output_size}"
    elif isinstance(module, Crop):
        setting = f"{module.margin} a side"
    elif isinstance(module, nn.PixelUnshuffle):
        setting = f"{module.downscale_factor}x{module.downscale_factor}"
    return f"{type(module).__name__} {setting}".strip()


def times(shape: Sequence[int]) -> str:
    """``32 × 12 × 12``."""
    return " × ".join(map(str, shape))


def settings(files: Mapping[str, RunFiles]) -> Table:
    """What one run was trained with and on; of several, each under its label, what is not the same in all."""
    configs = []
    for one in files.values():
        about = one.run.config.to_json()
        flat = {**about, **about["recipe"], **about["versions"]}
        del flat["recipe"], flat["versions"]
        configs.append(
            {name: f"{value:.6g}" if isinstance(value, float) else str(value) for name, value in flat.items()}
        )
    return Table(
        caption="" if len(files) == 1 else "What is not the same in all",
        heads=["setting", *(files if len(files) > 1 else ["value"])],
        rows=[
            [name, *(config.get(name, "") for config in configs)]
            for name in configs[0]
            if len(files) == 1 or any(config.get(name) != configs[0][name] for config in configs)
        ],
        words=range(len(files) + 1),
    )


def runs(files: Mapping[str, RunFiles]) -> Table:
    """A row a run, the one with most pairs right first."""
    rows = []
    for label, one in sorted(files.items(), key=lambda item: -item[1].results.joint_accuracy):
        found, config = one.results, one.run.config
        accuracies = [found.digit_accuracy, found.sum_accuracy, found.joint_accuracy, found.inconsistency]
        rows.append(
            [
                label,
                f"{config.dataset} {config.data_sha256[:7]}",
                f"{found.parameters:,}",
                f"{found.multiply_adds:,}",
                f"{found.epochs}",
                f"{found.train_seconds:,.1f}",
                *map(percent, accuracies),
            ]
        )
    heads = ["run", "data", "parameters", "multiply-adds", "epochs", "seconds"]
    return Table(
        caption="Of all test pairs; runs on other data do not compare",
        heads=[*heads, "digit", "sum", "both", "inconsistent"],
        rows=rows,
        words=(0, 1),
    )


def means(files: Mapping[str, RunFiles]) -> Table:
    """Mean and deviation of both right over the runs of one network and data, where there are several."""
    groups: dict[str, list[float]] = defaultdict(list)
    for one in files.values():
        config = one.run.config
        groups[f"{config.network} on {config.dataset}"].append(100 * one.results.joint_accuracy)
    return Table(
        caption="Both right, percent: mean ± standard deviation over the runs",
        heads=["network", "runs", "both"],
        rows=[
            [name, f"{len(values)}", "{:.2f} ± {:.2f}".format(*mean_std(values))]
            for name, values in groups.items()
            if len(values) > 1
        ],
    )
