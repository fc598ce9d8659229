"""``mnist-adder evaluate``: count how often a run is right."""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated, Literal

import typer

from mnist_adder.cli.app import AsJson, DataDir, RunFolder, app
from mnist_adder.cli.output import print_metrics, print_outliers


@app.command(epilog="Example: mnist-adder evaluate runs/exact-sum --json")
def evaluate(
    run: RunFolder,
    on: Annotated[
        Literal["mnist", "pen", "digits"] | None,
        typer.Option(
            help="Whose digits: MNIST's, pen-written ones of held-out writers, scikit-learn's. "
            "Default: the run's dataset.",
            show_default=False,
        ),
    ] = None,
    split: Annotated[
        Literal["test", "validation"], typer.Option(help="Make choices on validation, never on test.")
    ] = "test",
    data_dir: DataDir = None,
    tta: Annotated[
        bool,
        typer.Option(
            "--tta", help="Test-time augmentation: average over the image and four shifts by a pixel."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Count how often a run is right on all pairs of a split, and on what is no digit with --on pen."""
    from mnist_adder.evaluation.evaluate import evaluate_outliers, evaluate_run
    from mnist_adder.pretrained import folder_of
    from mnist_adder.runs import load_run

    opened = load_run(folder_of(run))
    metrics = dataclasses.asdict(evaluate_run(opened, on=on, split=split, data_dir=data_dir, augment=tta))
    taught = on == "pen" and "is_digit_threshold" in opened.results
    outliers = dataclasses.asdict(evaluate_outliers(opened)) if taught else None
    config = opened.config
    counted = "validation" if on == "pen" else "all" if on == "digits" != config.dataset else split
    about = {
        "run": str(run),
        "model": config.model,
        "preset": config.preset,
        "ensemble_size": config.ensemble_size,
        "dataset": on or config.dataset.removesuffix("+pen"),
        "split": counted,
        "tta": tta,
    }
    if as_json:
        print(json.dumps({**about, **metrics, **({"outliers": outliers} if outliers else {})}))
        return
    print_metrics({**about, **metrics})
    if outliers:
        print_outliers(outliers)
