"""The commands that learn: train, find-lr, compare."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mnist_adder.cli.app import DEFAULT_MODEL, DataDir, Dataset, Model, Seed, Settings, app
from mnist_adder.cli.output import make_console, notifier, own_command, print_comparison, print_metrics
from mnist_adder.errors import MnistAdderError


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
        typer.Option(metavar="RUN", help="Carry on a stopped run, as it was begun.", show_default=False),
    ] = None,
) -> None:
    """Train a model, evaluate it on all test pairs, leave a run folder with a report.

    Curves while it trains: tensorboard --logdir runs
    """
    console = make_console(stderr=True)
    changed = _parse_settings(settings or [])
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
            notify(f"Stopped. Carry on with: {own_command()} train --resume {stopped.args[0]}")
        else:
            notify("Stopped. There was no run yet.")
        raise typer.Exit(130) from None
    if not is_rank_zero():
        return  # the first one prints
    from mnist_adder.reports import report

    print_metrics(run.results)
    page = report([run])
    print(f"\nThe run lies in {run.folder}")
    print(f"Look:  {page}")
    print(f"Next:  {own_command()} predict PICTURE NUMBER --run {run.folder}")


@app.command(name="find-lr", epilog="Example: mnist-adder find-lr shared-trunk --set batch_size=512")
def find_lr(
    model: Model = DEFAULT_MODEL,
    seed: Seed = 0,
    dataset: Dataset = "auto",
    data_dir: DataDir = None,
    settings: Settings = None,
    out: Annotated[Path, typer.Option(help="Folder for the curve as PNG and CSV.")] = Path("runs/find-lr"),
) -> None:
    """Suggest a learning rate: train copies for a moment while it climbs."""
    console = make_console(stderr=True)

    from rich.progress import Progress

    from mnist_adder.reports import range_test, save_figure
    from mnist_adder.training.lr_finder import find_learning_rate

    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("steps")
        test = find_learning_rate(
            model,
            settings=_parse_settings(settings or []),
            seed=seed,
            dataset=dataset,
            data_dir=data_dir,
            notify=notifier(console),
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    rate = f"{test.suggestion:.2g}"
    picture, table = out / f"{model}.png", out / f"{model}.csv"
    title = f"{model} on {test.dataset}"
    save_figure(
        range_test(test.learning_rates, test.losses, test.smoothed_losses, test.suggestion, title), picture
    )
    test.save(table)
    print(f"Suggested learning rate of {model} on {test.dataset}: {rate}")
    print(f"\nThe curve lies in {picture} and {table}")
    print(f"Next:  {own_command()} train {model} --set learning_rate={rate}")


@app.command(epilog="Example: mnist-adder compare exact-sum learned-sum --seeds 3 --epochs-scale 0.5")
def compare(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[MODEL]...", help="Default: all.", show_default=False)
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each model, with the seeds 0, 1, ...")] = 3,
    epochs_scale: Annotated[float, typer.Option(help="Times the recipes' epochs.")] = 1.0,
    dataset: Dataset = "auto",
    data_dir: DataDir = None,
    runs_dir: Annotated[Path, typer.Option(help="Where the runs go, and are found again.")] = Path(
        "runs/comparison"
    ),
    out: Annotated[Path, typer.Option(help="Where table, plots and JSON go.")] = Path("results/comparison"),
) -> None:
    """Train models side by side and compare them; called again, it carries on."""
    console = make_console(stderr=True)

    from mnist_adder import models
    from mnist_adder.evaluation.compare import compare as compare_runs
    from mnist_adder.reports import save_comparison
    from mnist_adder.training.progress import Progress
    from mnist_adder.training.sweep import train_series

    notify = notifier(console)
    try:
        runs = train_series(
            names or models.names(),
            runs_dir,
            seeds=seeds,
            epochs_scale=epochs_scale,
            dataset=dataset,
            data_dir=data_dir,
            notify=notify,
            callbacks=lambda: [Progress(console)],
        )
    except KeyboardInterrupt:
        notify("Stopped. The same command carries on.")
        raise typer.Exit(130) from None
    comparison = compare_runs([run.results for run in runs])
    page = save_comparison(comparison, out)
    print_comparison(comparison)
    print(f"\nTable, plots and JSON lie in {page.parent}")
    print(f"Next:  {own_command()} report {runs[0].folder}")


def _parse_settings(settings: list[str]) -> dict[str, str]:
    for setting in settings:
        if "=" not in setting:
            raise MnistAdderError(f"--set {setting} has no value. Write it as --set key=value.")
    return dict(setting.split("=", 1) for setting in settings)
