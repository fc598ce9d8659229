"""``mnist-adder evaluate``: count how often a run is right."""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated, Literal

import typer

from mnist_adder.cli.app import AsJson, DataDir, RunFolder, app
from mnist_adder.cli.output import print_metrics


@app.command(epilog="Example: mnist-adder evaluate runs/exact-sum --json")
def evaluate(
    run: RunFolder,
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
