"""Rebuild the tables of README and docs from the files in results/: ``python docs/tables.py``.

A page marks the place of a table with ``<!-- NAME: made by docs/tables.py -->`` and ``<!-- end of NAME -->``.
Everything between the two is made from files that runs and benchmarks have written, or from the source.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path

import torch
from code_map import packages
from formatting import RESULTS, read, table, threads
from records import faults, hands, inference, paper, presets, serving, speedrun

from mnist_adder import models
from mnist_adder.cli.progress import HEADER, epoch_line
from mnist_adder.comparison.compare import Comparison, compare
from mnist_adder.reports.comparison import plus_minus
from mnist_adder.safe_io import write_text
from mnist_adder.types import SIDE

ROOT = Path(__file__).parent.parent
PAGES = [
    *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY")),
    *sorted((ROOT / "docs").rglob("*.md")),
]


def load_comparison() -> Comparison:
    """All models on MNIST, from the results of each run."""
    runs = sorted((RESULTS / "comparison" / "runs").glob("*"))
    return compare([read(f"comparison/runs/{path.name}") for path in runs])


def example() -> str:
    """What the one-file example prints, without the epochs between, and how accurate and how quick it is."""
    results = read("example.json")
    printed = results["runs"][0]["output"].splitlines()
    epochs = [line for line in printed if line.startswith("epoch")]
    shown = "\n".join([epochs[0], "...", *printed[len(epochs) - 1 :]])
    accuracy = results["joint_accuracy"]
    mean, std, least = (100 * accuracy[name] for name in ("mean", "std", "min"))
    return (
        f"```\n$ python examples/adder.py\n{shown}\n```\n\n"
        f"{accuracy['n']} seeds reach {plus_minus(mean, std)} %, the lowest {least:.2f} %, in "
        f"{results['seconds']['mean']:.0f} s with {threads(results['threads'])} of {results['device']} and "
        f"PyTorch {results['versions']['torch']}."
    )


def comparison() -> str:
    """All models: how they combine the inputs, what they cost, and how often they are right."""
    compared = load_comparison()
    about, seeds = compared.protocol, compared.rows[0].seeds
    rows = (
        (
            f"`{row.model}`",
            models.get(row.model).fusion,
            f"{row.parameters:,}",
            plus_minus(row.train_seconds_mean, row.train_seconds_std, 0),
            plus_minus(100 * row.joint_accuracy_mean, 100 * row.joint_accuracy_std),
            plus_minus(100 * row.inconsistency_mean, 100 * row.inconsistency_std),
        )
        for row in compared.rows
    )
    return table(
        "model | how the sum is made | >parameters | >seconds | >both right | >contradictory", rows
    ) + (
        f"\n\nPercent of all {about['pairs']:,} test pairs; mean ± standard deviation of {len(seeds)} "
        f"seeds. Contradictory: the predicted sum is not the predicted digit plus the number. Seconds of "
        f"training with {threads(about['threads'])} of {about['device']}, {about['precision']}, PyTorch "
        f"{about['versions']['torch']}."
    )


def assignment() -> str:
    """What the models answer to the questions that can be answered in a table."""
    rows = []
    for row in load_comparison().rows:
        model = models.get(row.model)
        features = model().eval().encode(torch.zeros(1, 1, SIDE, SIDE)).shape[1]
        accuracies = (row.digit_accuracy_mean, row.sum_accuracy_mean, row.joint_accuracy_mean)
        image = f"{features} {'logits' if features == 10 else 'features'}"
        rows.append(
            (f"`{row.model}`", image, model.objective, *(f"{100 * value:.2f}" for value in accuracies))
        )
    return table("model | the image becomes | losses | >digit | >sum | >both", rows)


def log() -> str:
    """What a training prints, and what it reached."""
    results = read("exact-sum.json")
    rows = csv.DictReader((RESULTS / "exact-sum.csv").read_text().splitlines())
    lines = [epoch_line({k: float(v) for k, v in row.items()}, results["epochs"]) for row in rows]
    printed = "\n".join(["```", "$ mnist-adder train", HEADER, *lines, "```"])
    return (
        f"{printed}\n\nSeed {results['seed']}: digit and sum are both right on "
        f"{100 * results['joint_accuracy']:.2f} % of {results['pairs']:,} test pairs, after "
        f"{results['train_seconds']:.0f} s with {threads(results['threads'])} of {results['device']}."
    )


BLOCKS: dict[str, Callable[[], str]] = {
    block.__name__: block
    for block in (
        *(example, comparison, packages, assignment, log, hands, paper),
        *(presets, speedrun, inference, serving, faults),
    )
}


def rebuilt(page: str) -> str:
    """A page with its tables made again."""
    for name in re.findall(r"<!-- (\w+): made by docs/tables.py -->", page):
        begin, end = f"<!-- {name}: made by docs/tables.py -->", f"<!-- end of {name} -->"
        before, rest = page.split(begin)
        _, after = rest.split(end)
        page = f"{before}{begin}\n{BLOCKS[name]()}\n{end}{after}"
    return page


def main() -> None:
    """Rewrite the pages in place."""
    for path in PAGES:
        write_text(path, rebuilt(path.read_text()))


if __name__ == "__main__":
    main()
