"""``mnist-adder report``: write a page about one run or several."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mnist_adder.cli.app import WHICH_RUN, app


@app.command(epilog="Example: mnist-adder report runs/exact-sum")
def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help=WHICH_RUN, show_default=False)],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for page and figures. Default: report/ in the run, runs/report for several.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write a page with curves, confusion, samples, mistakes, calibration and layers."""
    from mnist_adder import reports
    from mnist_adder.pretrained import folder_of
    from mnist_adder.runs import RUNS, load_run

    if out is None and len(runs) > 1:
        out = RUNS / "report"
    page = reports.report([load_run(folder_of(run)) for run in runs], out)
    print(f"Report: {page}, figures: {page.parent / 'figures'}")
