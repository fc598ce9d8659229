"""``mnist-adder find-lr``: suggest a learning rate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mnist_adder.cli.app import DEFAULT_MODEL, DataDir, ModelName, Precision, Seed, Settings, TrainingSet, app
from mnist_adder.cli.output import make_console, notifier, own_command, parse_settings


@app.command(name="find-lr", epilog="Example: mnist-adder find-lr shared-trunk --set batch_size=512")
def find_lr(
    model: ModelName = DEFAULT_MODEL,
    seed: Seed = 0,
    dataset: TrainingSet = "auto",
    data_dir: DataDir = None,
    settings: Settings = None,
    precision: Precision = None,
    out: Annotated[Path, typer.Option(help="Folder for the curve as PNG and CSV.")] = Path("runs/find-lr"),
) -> None:
    """Suggest a learning rate: train copies for a moment while it climbs."""
    console = make_console(stderr=True)

    from rich.progress import Progress

    from mnist_adder.lr_finder import STEPS, find_learning_rate
    from mnist_adder.reports import range_test, save_figure
    from mnist_adder.safe_io import write_text
    from mnist_adder.training.config import TrainConfig

    config = TrainConfig(
        model=model,
        recipe=dict(parse_settings(settings or [])),
        seed=seed,
        dataset=dataset,
        data_dir=data_dir,
        precision=precision,
    )
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("steps", total=STEPS)
        test = find_learning_rate(
            config,
            notify=notifier(console),
            progress=lambda done: bar.update(task, completed=done),
        )
    rate = f"{test.suggestion:.2g}"
    picture, table = out / f"{model}.png", out / f"{model}.csv"
    title = f"{model} on {test.dataset}"
    save_figure(
        range_test(test.learning_rates, test.losses, test.smoothed_losses, test.suggestion, title), picture
    )
    rows = zip(test.learning_rates, test.losses, test.smoothed_losses, strict=True)
    lines = ["learning_rate,loss,smoothed_loss", *(",".join(f"{value:.6g}" for value in row) for row in rows)]
    write_text(table, "\n".join(lines) + "\n")
    print(f"Suggested learning rate of {model} on {test.dataset}: {rate}")
    print(f"\nThe curve: {picture} and {table}")
    print(f"Next:      {own_command()} train {model} --set learning_rate={rate}")
