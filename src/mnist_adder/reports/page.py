"""The page of a report: one HTML file that needs nothing else, and its figures as PNG beside it.

Of one run it tells all; of several, what compares them. All is made from the run folders alone.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from mnist_adder.errors import RunError
from mnist_adder.reports import diagram, figures, tables
from mnist_adder.reports.run_files import RunFiles, load_run_files
from mnist_adder.reports.style import png, svg
from mnist_adder.runs import Run
from mnist_adder.safe_io import write_bytes, write_text
from mnist_adder.types import SIDE


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure, as it stands on the page, and how to read it."""

    name: str  # of its file
    label: str  # what it shows, for those who cannot see it
    caption: str
    figure: Figure

    @property
    def source(self) -> str:
        """The figure as an address that holds it."""
        return "data:image/svg+xml;base64," + base64.b64encode(svg(self.figure).encode()).decode()


@dataclass(frozen=True, kw_only=True)
class Section:
    """A heading with what stands below it."""

    title: str
    note: str = ""
    command: str = ""
    pictures: Sequence[Picture] = ()
    tables: Sequence[tables.Table] = ()  # those that have rows are shown

    @property
    def has_content(self) -> bool:
        """Whether there is anything below the heading."""
        return bool(self.note or self.pictures or any(table.rows for table in self.tables))


def report(runs: Sequence[Run], folder: Path | None = None) -> Path:
    """Write ``report.html`` and ``figures/*.png``; files of an earlier report are replaced.

    Args:
        runs: one run, or several to be compared; all have ended.
        folder: where to; by default ``report/`` in the folder of the single run.

    Returns:
        The path of the HTML file.

    Raises:
        RunError: no run; several and no folder; a run that is incomplete, damaged or too old; a folder that
            cannot be written to.
        ModelError: a run's model is not one of this version.
    """
    if not runs:
        raise RunError("A report needs at least one run. Name the folder of one.")
    if folder is None:
        if len(runs) > 1:
            raise RunError(f"A report of {len(runs)} runs has no folder of its own. Name one with --out.")
        folder = runs[0].folder / "report"
    files = [load_run_files(run) for run in runs]
    if len(runs) > 1:
        title, sections = f"{len(runs)} runs compared", comparison_sections(files)
    else:
        config = runs[0].config
        title, sections = f"{config.network} on {config.dataset}, seed {config.seed}", run_sections(files[0])
    try:
        (folder / "figures").mkdir(parents=True, exist_ok=True)
        for picture in (picture for section in sections for picture in section.pictures):
            write_bytes(folder / "figures" / f"{picture.name}.png", png(picture.figure))
        write_text(folder / "report.html", render_html(title, sections))
    except OSError as error:
        raise RunError(f"The report cannot be written to {folder}: {error.strerror}.") from None
    return folder / "report.html"


def render_html(title: str, sections: Sequence[Section]) -> str:
    """The page as HTML; whatever comes from a file is escaped, and a section without content is left out."""
    environment = Environment(
        loader=PackageLoader("mnist_adder.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    shown = [section for section in sections if section.has_content]
    return environment.get_template("report.html").render(title=title, sections=shown)


def run_sections(files: RunFiles) -> list[Section]:
    """Of one run: what was reached, how it came about, and how to repeat it."""
    found = files.results
    confusion = [
        tables.confusion(found.digit_confusion, "digit"),
        tables.confusion(found.sum_confusion, "sum"),
    ]
    shades = "The stronger the colour, the larger the share of the row, on a logarithmic scale. Empty: none."
    return [
        Section(title="Result", tables=[tables.results(found)]),
        _samples(files),
        _mistakes(files),
        Section(title="Training", pictures=_curves({"": files.metrics})),
        Section(title="Confusion", note=shades, tables=confusion),
        Section(title="Accuracy by number", tables=[tables.by_number(found)]),
        _calibration(files),
        _network(files),
        Section(title="How to repeat it", command=found.command, tables=[tables.settings({"": files})]),
    ]


def comparison_sections(files: Sequence[RunFiles]) -> list[Section]:
    """Of several runs: what compares them; the rest is on the page of each."""
    labelled = dict(zip(run_labels(files), files, strict=True))
    metrics = {label: one.metrics for label, one in labelled.items()}
    return [
        Section(title="Results", tables=[tables.runs(labelled), tables.means(labelled)]),
        Section(title="Training", pictures=_curves(metrics)),
        Section(title="Settings", tables=[tables.settings(labelled)]),
    ]


def run_labels(files: Sequence[RunFiles]) -> list[str]:
    """A name for each run that no other one has: network, seed and, where that is not enough, its place."""
    labels = [f"{one.run.config.network}, seed {one.run.config.seed}" for one in files]
    often = Counter(labels)
    return [
        f"{label} ({place})" if often[label] > 1 else label for place, label in enumerate(labels, start=1)
    ]


def _samples(files: RunFiles) -> Section:
    picture = Picture(
        name="samples",
        label="Test images, each with a number, and the digit and sum answered",
        caption="The first test images, not chosen ones: image + number → digit, sum, and how sure of each.",
        figure=figures.answers(files.samples),
    )
    return Section(title="Sample answers", pictures=[picture])


def _mistakes(files: RunFiles) -> Section:
    title = "The most confident mistakes"
    if not len(files.mistakes.images):
        return Section(title=title, note="There are none.")
    picture = Picture(
        name="mistakes",
        label="Test images answered wrong, with the true digit and sum",
        caption="The wrong answers of the highest probability, each image once, the surest first. Below: the "
        "true digit and sum and, where the answers contradict each other, how.",
        figure=figures.answers(files.mistakes),
    )
    return Section(title=title, pictures=[picture])


def _curves(metrics: Mapping[str, figures.Rows]) -> list[Picture]:
    return [
        Picture(
            name="accuracy",
            label="Accuracy of digit, sum and both by epoch",
            caption="From 90 to 99 % is as far as from 99 to 99.9 %: both mean a tenth of the mistakes. "
            "Training is counted while the weights change, on images that may be distorted.",
            figure=figures.accuracy_curves(metrics),
        ),
        Picture(
            name="loss",
            label="Loss and its two parts by epoch",
            caption="Where validation rises while training falls, the model overfits. Losses of different "
            "models do not compare.",
            figure=figures.loss_curves(metrics),
        ),
        Picture(
            name="learning-rate",
            label="Learning rate by epoch",
            caption="As the recipe's schedule sets it. The values of all these curves: metrics.csv.",
            figure=figures.learning_rate_curve(metrics),
        ),
    ]


def _calibration(files: RunFiles) -> Section:
    with torch.no_grad():
        outputs = files.model(torch.zeros(1, 1, SIDE, SIDE), torch.zeros(1, dtype=torch.int64))
    single = (
        "The sum is read from one number: its confidence is an assumption of the loss and was not learned."
    )
    picture = Picture(
        name="reliability",
        label="Accuracy by confidence, for digit and sum",
        caption="How many answers of one confidence are right: on the dashed line as many as promised, "
        "above it more, below it fewer. Bars are 95 % intervals; wide ones mean few answers.",
        figure=figures.reliability(
            {"digit": files.results.digit_reliability, "sum": files.results.sum_reliability}
        ),
    )
    note = single if outputs.sum_scores.shape[1] == 1 else ""
    return Section(title="Calibration", note=note, pictures=[picture])


def _network(files: RunFiles) -> Section:
    picture = Picture(
        name="network",
        label="The network from its two inputs to its two answers; a table of its layers follows",
        caption="Blue depends on the image, orange on the number, green on both. Beside an arrow: the shape "
        "of what is passed on, for one pair.",
        figure=diagram.network(files.model),
    )
    several = "Several such networks answer together; this is one."
    note = several if files.run.config.ensemble_size > 1 else ""
    return Section(title="Network", note=note, pictures=[picture], tables=[tables.layers(files.model)])
