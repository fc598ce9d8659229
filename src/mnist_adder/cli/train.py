"""``mnist-adder train``: train a model, or resume a stopped run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mnist_adder.cli.app import DEFAULT_MODEL, DataDir, ModelName, Precision, Seed, Settings, TrainingSet, app
from mnist_adder.cli.output import make_console, notifier, own_command, parse_settings, print_metrics
from mnist_adder.errors import MnistAdderError

_WITH_RESUME = {"resume", "data_dir"}


@app.command(epilog="Example: mnist-adder train logit-mlp --epochs 3 --set learning_rate=0.001")
def train(
    ctx: typer.Context,
    model: ModelName = DEFAULT_MODEL,
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Another network of the model: best, tiny, ...", show_default=False
        ),
    ] = None,
    ensemble: Annotated[
        int, typer.Option(min=1, max=100, metavar="K", help="Train K networks that answer together.")
    ] = 1,
    epochs: Annotated[int | None, typer.Option(help="Default: the model's own.", show_default=False)] = None,
    seed: Seed = 0,
    dataset: TrainingSet = "auto",
    data_dir: DataDir = None,
    run_dir: Annotated[
        Path | None, typer.Option(help="The run's folder, new or empty. Default: a new one in runs/.")
    ] = None,
    settings: Settings = None,
    precision: Precision = None,
    patience: Annotated[
        int | None,
        typer.Option(help="Stop after so many epochs without a better one, and keep the best.", min=1),
    ] = None,
    devices: Annotated[int, typer.Option(min=1, help="Processes that train together, one a device.")] = 1,
    nodes: Annotated[int, typer.Option(min=1, help="Machines that train together: see docs/guide.md.")] = 1,
    resume: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Resume a stopped run as it was begun.", show_default=False),
    ] = None,
) -> None:
    """Train a model, evaluate it on all test pairs, leave a run folder with a report.

    Curves while it trains: tensorboard --logdir runs
    """
    changed: dict[str, str | float] = dict(parse_settings(settings or []))
    for name, value in (("epochs", epochs), ("patience", patience)):
        if value is not None:
            changed[name] = value
    console = make_console(stderr=True)

    from mnist_adder.cli.progress import Progress
    from mnist_adder.training import train as training
    from mnist_adder.training.config import TrainConfig
    from mnist_adder.training.distributed import is_rank_zero

    console.quiet = not is_rank_zero()  # of several processes one prints
    common: dict[str, Any] = {"notify": notifier(console), "callbacks": lambda: [Progress(console)]}
    try:
        if resume is not None:
            _refuse_options(ctx, resume)
            run = training.resume(resume, data_dir=data_dir, **common)
        else:
            config = TrainConfig(
                model=model,
                preset=preset,
                recipe=changed,
                seed=seed,
                dataset=dataset,
                data_dir=data_dir,
                precision=precision,
                run_dir=run_dir,
                devices=devices,
                nodes=nodes,
                ensemble_size=ensemble,
            )
            run = training.train(config, **common)
    except KeyboardInterrupt as stopped:
        if stopped.args:  # the run's folder
            common["notify"](f"Stopped. Resume with: {own_command()} train --resume {stopped.args[0]}")
        else:
            common["notify"]("Stopped. There was no run yet.")
        raise typer.Exit(130) from None
    if not is_rank_zero():
        return
    from mnist_adder.reports import report

    print_metrics(run.results)
    page = report([run])
    print(f"\nRun folder: {run.folder}")
    print(f"Report:     {page}")
    print(f"Next:       {own_command()} predict PICTURE NUMBER --run {run.folder}")


def _refuse_options(ctx: typer.Context, folder: Path) -> None:
    """A resumed run follows its config, so other options are mistakes.

    Raises:
        MnistAdderError: one was given.
    """
    given = []
    for parameter in ctx.command.params:
        source = ctx.get_parameter_source(parameter.name or "")
        if parameter.name not in _WITH_RESUME and source is not None and source.name == "COMMANDLINE":
            given.append(parameter.opts[0] if parameter.opts[0].startswith("-") else "MODEL")
    if given:
        raise MnistAdderError(
            f"--resume {folder} continues that run as it was begun, so {', '.join(given)} cannot be given "
            "with it. To train longer or otherwise, begin a new run."
        )
