"""``mnist-adder compare``: train models side by side and compare them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mnist_adder.cli.app import DataDir, Precision, TrainingSet, app
from mnist_adder.cli.output import make_console, notifier, own_command, print_comparison
from mnist_adder.errors import MnistAdderError


@app.command(epilog="Example: mnist-adder compare exact-sum learned-sum --seeds 3 --epochs-scale 0.5")
def compare(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[MODEL]...", help="Default: all.", show_default=False)
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each model, with the seeds 0, 1, ...")] = 3,
    epochs_scale: Annotated[float, typer.Option(min=0, max=1000, help="Times the recipes' epochs.")] = 1.0,
    dataset: TrainingSet = "auto",
    data_dir: DataDir = None,
    precision: Precision = None,
    runs_dir: Annotated[Path, typer.Option(help="Where the runs go, and are found again.")] = Path(
        "runs/comparison"
    ),
    out: Annotated[Path, typer.Option(help="Where table, plots and JSON go.")] = Path("results/comparison"),
) -> None:
    """Train models side by side and compare them; called again, it resumes."""
    if not epochs_scale:
        raise MnistAdderError("--epochs-scale is 0, but must be above 0.")
    console = make_console(stderr=True)

    from mnist_adder import models
    from mnist_adder.cli.progress import Progress
    from mnist_adder.comparison.compare import compare as compare_results
    from mnist_adder.comparison.sweep import sweep
    from mnist_adder.reports import save_comparison
    from mnist_adder.training.config import TrainConfig

    notify = notifier(console)
    try:
        runs = sweep(
            names or models.names(),
            runs_dir,
            TrainConfig(dataset=dataset, data_dir=data_dir, precision=precision),
            seeds=seeds,
            epochs_scale=epochs_scale,
            notify=notify,
            callbacks=lambda: [Progress(console)],
        )
    except KeyboardInterrupt:
        notify("Stopped. The same command resumes.")
        raise typer.Exit(130) from None
    comparison = compare_results([run.results for run in runs])
    page = save_comparison(comparison, out)
    print_comparison(comparison)
    print(f"\nTable, plots and JSON: {page.parent}")
    print(f"Next:                  {own_command()} report {runs[0].folder}")
