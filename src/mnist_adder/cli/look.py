"""The commands that look at what was learned: evaluate, predict, models, report."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from mnist_adder.cli.app import AsJson, DataDir, RunFolder, app
from mnist_adder.cli.output import bars, make_console, make_table, print_metrics, silent_c_libraries


@app.command(epilog="Example: mnist-adder evaluate runs/exact-sum --json")
def evaluate(
    run: RunFolder,
    split: Annotated[
        Literal["test", "validation"], typer.Option(help="Choices are made on validation, never on test.")
    ] = "test",
    data_dir: DataDir = None,
    tta: Annotated[
        bool,
        typer.Option(
            "--tta", help="Test-time augmentation: ask about each image five times, moved by a pixel."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Count how often a run is right on all pairs of a split."""
    from mnist_adder.evaluation.evaluate import evaluate_run
    from mnist_adder.pretrained import folder_of
    from mnist_adder.runs import load_run

    opened = load_run(folder_of(run))
    metrics = dataclasses.asdict(evaluate_run(opened, split=split, data_dir=data_dir, augment=tta))
    config = opened.config
    about = {
        "run": str(run),
        "model": config.model,
        "preset": config.preset,
        "ensemble_size": config.ensemble_size,
        "dataset": config.dataset,
        "split": split,
        "tta": tta,
    }
    if as_json:
        print(json.dumps({**about, **metrics}))
    else:
        print_metrics({**about, **metrics})


@app.command(epilog="Example: mnist-adder predict photo.png 7")
def predict(
    image: Annotated[Path, typer.Argument(help="Any picture of one digit.", show_default=False)],
    number: Annotated[str, typer.Argument(help="0..9", show_default=False)],
    run: Annotated[
        Path | None,
        typer.Option(
            help="Which run answers, or default, best or tiny, which come with us. "
            "Default: the newest in runs/, else default.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Name the digit in a picture and its sum with a number."""
    from mnist_adder.inference import Predictor
    from mnist_adder.pretrained import folder_of, pretrained_folder

    with silent_c_libraries():
        predictor = Predictor(None if run is None else folder_of(run))
        answer = predictor.predict(image, number)
    if as_json:
        print(json.dumps(dataclasses.asdict(answer)))
        return
    if run is None:
        shipped = predictor.folder == pretrained_folder()
        who = "the weights that come with the package" if shipped else str(predictor.folder)
        make_console(stderr=True).print(f"Answered by {who}.", highlight=False, soft_wrap=True)
    console = make_console()
    console.print(f"[bold]{answer.digit} + {answer.number} = {answer.sum}[/]", highlight=False)
    console.print(bars("digit", answer.digit_probabilities), bars("sum", answer.sum_probabilities))


@app.command(epilog="Example: mnist-adder models")
def models(as_json: AsJson = False) -> None:
    """List the models: parameters, how the inputs meet, losses, source."""
    from mnist_adder import models as registry

    rows: list[dict[str, Any]] = [
        {
            "name": name,
            "parameters": model().parameter_count(),
            "fusion": model.fusion,
            "losses": model.objective,
            "source": model.source.title if model.source else "ours",
            "presets": {preset: made.purpose for preset, made in model.presets.items()},
        }
        for name, model in ((name, registry.get(name)) for name in registry.names())
    ]
    if as_json:
        print(json.dumps({"models": rows}))
        return
    table = make_table("model", "parameters", "how the inputs meet", "losses", "source")
    for row in rows:
        table.add_row(row["name"], f"{row['parameters']:,}", row["fusion"], row["losses"], row["source"])
    console = make_console()
    console.print(table)
    for row in rows:
        for preset, purpose in row["presets"].items():
            console.print(f"{row['name']} --preset {preset}: {purpose}", highlight=False)


@app.command(epilog="Example: mnist-adder report runs/exact-sum")
def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders.", show_default=False)],
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
    from mnist_adder.runs import RUNS, load_run

    if out is None and len(runs) > 1:
        out = RUNS / "report"
    page = reports.report([load_run(run) for run in runs], out)
    print(f"The report is {page}, its figures lie in {page.parent / 'figures'}")
