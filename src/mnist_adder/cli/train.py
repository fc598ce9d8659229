"""``mnist-adder train``: train a model, or resume a stopped run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mnist_adder.cli.app import DEFAULT_MODEL, DataDir, Dataset, Model, Seed, Settings, app, parse_settings
from mnist_adder.cli.output import make_console, notifier, own_command, print_metrics


@app.command(epilog="Example: mnist-adder train logit-mlp --epochs 3 --set learning_rate=0.001")
def train(
    model: Model = DEFAULT_MODEL,
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Another network of the model: fast, best, tiny, ...", show_default=False
        ),
    ] = None,
    ensemble: Annotated[
        int, typer.Option(min=1, metavar="K", help="Train K networks that answer together.")
    ] = 1,
    epochs: Annotated[int | None, typer.Option(help="Default: the model's own.", show_default=False)] = None,
    seed: Seed = 0,
    dataset: Dataset = "auto",
    data_dir: DataDir = None,
    run_dir: Annotated[
        Path | None, typer.Option(help="The run's folder, new or empty. Default: a new one in runs/.")
    ] = None,
    settings: Settings = None,
    patience: Annotated[
        int | None,
        typer.Option(help="Stop after so many epochs without a better one, and keep the best.", min=1),
    ] = None,
    devices: Annotated[int, typer.Option(min=1, help="Processes that train together, one a device.")] = 1,
    nodes: Annotated[
        int, typer.Option(min=1, help="Machines that train together: see docs/training.md.")
    ] = 1,
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN", help="Resume a stopped run, with the settings it began with.", show_default=False
        ),
    ] = None,
) -> None:
    """Train a model, evaluate it on all test pairs, leave a run folder with a report.

    Curves while it trains: tensorboard --logdir runs
    """
    console = make_console(stderr=True)
    changed = parse_settings(settings)
    for name, value in (("epochs", epochs), ("patience", patience)):
        if value is not None:
            changed[name] = str(value)

    from mnist_adder.training import ensemble as training
    from mnist_adder.training.distributed import is_rank_zero
    from mnist_adder.training.progress import Progress

    console.quiet = not is_rank_zero()  # of several processes one speaks
    notify = notifier(console)
    try:
        if resume is not None:
            run = training.resume(
                resume, data_dir=data_dir, notify=notify, callbacks=lambda: [Progress(console)]
            )
        else:
            run = training.train_ensemble(
                ensemble,
                model,
                preset=preset,
                settings=changed,
                seed=seed,
                dataset=dataset,
                data_dir=data_dir,
                run_dir=run_dir,
                devices=devices,
                nodes=nodes,
                notify=notify,
                callbacks=lambda: [Progress(console)],
            )
    except KeyboardInterrupt as stopped:
        if stopped.args:  # the run's folder
            notify(f"Stopped. Resume with: {own_command()} train --resume {stopped.args[0]}")
        else:
            notify("Stopped. There was no run yet.")
        raise typer.Exit(130) from None
    if not is_rank_zero():
        return  # the first one prints
    from mnist_adder.reports import report

    print_metrics(run.results)
    page = report([run])
    print(f"\nRun folder: {run.folder}")
    print(f"Report:     {page}")
    print(f"Next:       {own_command()} predict PICTURE NUMBER --run {run.folder}")
