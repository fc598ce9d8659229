"""A report: one HTML file that needs nothing else, and its figures as PNG.

Runs come in; the path of ``report.html`` goes out. All is made from the run folders alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from mnist_adder.errors import RunError
from mnist_adder.reports.compose import make_page
from mnist_adder.reports.contents import load_contents
from mnist_adder.reports.page import Page
from mnist_adder.reports.render import png
from mnist_adder.runs import Run
from mnist_adder.safe_io import write_bytes, write_text


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
    contents = [load_contents(run) for run in runs]
    try:
        (folder / "figures").mkdir(parents=True, exist_ok=True)
        page = make_page(contents)
        for picture in page.all_pictures:
            write_bytes(folder / "figures" / f"{picture.name}.png", png(picture.figure))
        write_text(folder / "report.html", render_html(page))
    except OSError as error:
        raise RunError(f"The report cannot be written to {folder}: {error.strerror}.") from None
    return folder / "report.html"


def render_html(page: Page) -> str:
    """The page as HTML; whatever comes from a file is escaped."""
    environment = Environment(
        loader=PackageLoader("mnist_adder.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("report.html").render(page=page)
