"""``mnist-adder speedrun``: the training that takes a second."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mnist_adder.cli.app import DataDir, Dataset, Seed, app
from mnist_adder.cli.output import make_console, notifier, own_command, print_metrics


@app.command(epilog="Example: mnist-adder speedrun --seed 1 --run-dir runs/speedrun")
def speedrun(
    seed: Seed = 0,
    dataset: Dataset = "auto",
    data_dir: DataDir = None,
    run_dir: Annotated[
        Path | None, typer.Option(help="The run's folder, new or empty. Default: a new one in runs/.")
    ] = None,
) -> None:
    """Train for 1.5 seconds on the processor: 99 % of MNIST's test pairs, and a run folder.

    One network and one recipe, made for speed: see docs/presets.md. The seconds are those of training,
    without loading and evaluation.
    """
    console = make_console(stderr=True)

    from mnist_adder.speedrun import speedrun as run_speedrun

    run = run_speedrun(
        seed=seed, dataset=dataset, data_dir=data_dir, run_dir=run_dir, notify=notifier(console)
    )
    print_metrics(run.results)
    print(f"\nRun folder: {run.folder}")
    print(f"Next:       {own_command()} predict PICTURE NUMBER --run {run.folder}")
