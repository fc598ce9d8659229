"""Putting a report together: a chapter for each run and, of several, what compares them.

Contents come in, a Page goes out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from mnist_adder.reports import curves, tables
from mnist_adder.reports.chapter import STRETCHED, make_chapter, reached
from mnist_adder.reports.contents import Contents, parts
from mnist_adder.reports.page import Page, Section, picture
from mnist_adder.reports.style import COLOURS


def make_page(contents: Sequence[Contents]) -> Page:
    """Draw every figure and write every sentence."""
    labels = run_labels(contents)
    several = len(contents) > 1
    names = [f"{place}-{_slug(label)}-" if several else "" for place, label in enumerate(labels, 1)]
    chapters = [make_chapter(*both) for both in zip(contents, labels, names, strict=True)]
    light, dark = (
        " ".join(f"--{name}: {colours[place]};" for name, colours in COLOURS.items()) for place in (0, 1)
    )
    config = contents[0].run.config
    return Page(
        title=f"{len(contents)} runs compared"
        if several
        else f"{config.network} on {config.dataset}, seed {config.seed}",
        sentence=_best(contents, labels) if several else chapters[0].sentence,
        summary=tables.summary(labels, contents) if several else None,
        comparison=_comparison(contents, labels) if several else None,
        chapters=chapters,
        light=light,
        dark=dark,
    )


def run_labels(contents: Sequence[Contents]) -> list[str]:
    """A name for each run that no other one has, as short as can be: the network, seed, dataset, folder."""
    configs = [one.run.config for one in contents]
    labels = [config.network for config in configs]
    if len({config.dataset for config in configs}) > 1:
        labels = [f"{label} on {config.dataset}" for label, config in zip(labels, configs, strict=True)]
    for more in (
        [f"seed {config.seed}" for config in configs],
        [one.run.folder.name for one in contents],
        [f"run {place}" for place in range(1, len(contents) + 1)],
    ):
        often = Counter(labels)
        labels = [
            f"{label}, {word}" if often[label] > 1 else label
            for label, word in zip(labels, more, strict=True)
        ]
    return labels


def _best(contents: Sequence[Contents], labels: Sequence[str]) -> str:
    best = max(range(len(contents)), key=lambda place: float(contents[place].results["joint_accuracy"]))
    if len({one.run.config.data_sha256 for one in contents}) > 1:
        sentence = "These runs were not all measured on the same test images, so not all figures compare. "
        return sentence + reached(contents[best], labels[best])
    return reached(contents[best], f"The best of these {len(contents)} runs, {labels[best]},")


def _comparison(contents: Sequence[Contents], labels: Sequence[str]) -> Section:
    metrics = {label: one.metrics for label, one in zip(labels, contents, strict=True)}
    named = ", ".join(labels)
    held_out = any("validation" in parts(rows) for rows in metrics.values())
    counted = "training and validation" if held_out else "training"
    return Section(
        name="comparison",
        title="All runs, epoch by epoch",
        words="",
        pictures=[
            picture(
                curves.accuracy_curves(metrics),
                "all-accuracy",
                label=f"Accuracy of digit, sum and both by epoch, in {counted}, of {named}.",
                caption=STRETCHED,
            ),
            picture(
                curves.loss_curves(metrics),
                "all-loss",
                label=f"Losses by epoch, in {counted}, of {named}.",
                caption="Losses on a logarithmic scale. Models with other losses do not compare.",
            ),
            picture(
                curves.learning_rate_curve(metrics),
                "all-learning-rate",
                label=f"Learning rate by epoch of {named}.",
                caption="The learning rate that each recipe prescribes.",
            ),
        ],
    )


def _slug(label: str) -> str:
    """A label as part of a file's name."""
    return re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")[:60] or "run"
