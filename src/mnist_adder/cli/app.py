"""The command line: parse, call one function, print.

Nothing imports this file. Results go to standard output, everything else to standard error. A mistake of
the user's ends in one line and exit code 2; heavy imports wait inside the commands that need them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mnist_adder import __version__
from mnist_adder.errors import MnistAdderError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import Console
    from rich.table import Table

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

RunFolder = Annotated[Path, typer.Argument(help="A run folder, as train made it.", show_default=False)]
DataDir = Annotated[
    Path | None,
    typer.Option(help="The four MNIST files. Default: MNIST_ADDER_DATA, the cache, download."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


def main() -> None:
    """Run the command line; the entry point of ``mnist-adder``."""
    try:
        app()
    except MnistAdderError as error:
        print(f"mnist-adder: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:  # whoever read our output has had enough
        sys.exit(0)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"mnist-adder {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """A picture of a digit and a number go in; the digit and the sum come out.

    Example: [bold]mnist-adder train[/], then [bold]mnist-adder predict photo.png 7[/]
    """


@app.command(epilog="Example: mnist-adder train logit-mlp --epochs 3 --set learning_rate=0.001")
def train(
    design: Annotated[str, typer.Argument(help="Which design: see mnist-adder designs.")] = "exact-sum",
    epochs: Annotated[int | None, typer.Option(help="Default: the design's own.", show_default=False)] = None,
    seed: Annotated[int, typer.Option(help="Of weights, order, numbers and augmentation.")] = 0,
    dataset: Annotated[
        Literal["auto", "mnist", "digits"], typer.Option(help="auto: MNIST, else scikit-learn's digits.")
    ] = "auto",
    data_dir: DataDir = None,
    run_dir: Annotated[
        Path | None, typer.Option(help="The run's folder, new or empty. Default: a new one in runs/.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change the recipe; repeatable."),
    ] = None,
    devices: Annotated[int, typer.Option(min=1, help="Processes that train together, one a device.")] = 1,
    resume: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Carry on a stopped run, as it was begun.", show_default=False),
    ] = None,
) -> None:
    """Train a design, evaluate it on all test pairs, leave a run folder."""
    console = _console(stderr=True)
    changed = _parse_settings(settings or [])
    if epochs is not None:
        changed["epochs"] = str(epochs)

    from mnist_adder import training

    def notify(sentence: str) -> None:
        console.print(sentence, highlight=False, soft_wrap=True)

    callbacks = [training.Progress(console)]
    try:
        if resume is not None:
            run = training.resume(resume, data_dir=data_dir, notify=notify, callbacks=callbacks)
        else:
            run = training.train(
                design,
                settings=changed,
                seed=seed,
                dataset=dataset,
                data_dir=data_dir,
                run_dir=run_dir,
                devices=devices,
                notify=notify,
                callbacks=callbacks,
            )
    except KeyboardInterrupt as stopped:
        for folder in stopped.args:  # none, where it was stopped before there was a run
            notify(f"Stopped. Carry on with: {_command()} train --resume {folder}")
        raise typer.Exit(130) from None
    if not training.is_first_process():
        return  # the first one prints
    _print_metrics(run.results)
    print(f"\nThe run lies in {run.folder}")
    print(f"Next:  {_command()} predict PICTURE NUMBER --run {run.folder}")


@app.command(epilog="Example: mnist-adder evaluate runs/exact-sum --json")
def evaluate(
    run: RunFolder,
    split: Annotated[
        Literal["test", "validation"], typer.Option(help="Choices are made on validation, never on test.")
    ] = "test",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Count how often a run is right on all pairs of a split."""
    from mnist_adder.evaluation import evaluate_run
    from mnist_adder.runs import load_run

    opened = load_run(run)
    metrics = dataclasses.asdict(evaluate_run(opened, split=split, data_dir=data_dir))
    config = opened.config
    about = {"run": str(run), "design": config.design, "dataset": config.dataset, "split": split}
    if as_json:
        print(json.dumps({**about, **metrics}))
    else:
        _print_metrics({**about, **metrics})


@app.command(epilog="Example: mnist-adder predict photo.png 7")
def predict(
    image: Annotated[Path, typer.Argument(help="Any picture of one digit.", show_default=False)],
    number: Annotated[str, typer.Argument(help="0..9", show_default=False)],
    run: Annotated[
        Path | None, typer.Option(help="Which run answers. Default: the newest in runs/.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Name the digit in a picture and its sum with a number."""
    from mnist_adder.inference import predict as ask

    with _silent_c_libraries():
        answer = ask(image, number, run)
    if as_json:
        print(json.dumps(dataclasses.asdict(answer)))
        return
    console = _console()
    console.print(f"[bold]{answer.digit} + {answer.number} = {answer.sum}[/]", highlight=False)
    console.print(_bars("digit", answer.digit_probabilities), _bars("sum", answer.sum_probabilities))


@app.command(epilog="Example: mnist-adder designs")
def designs(as_json: AsJson = False) -> None:
    """List the designs: parameters, how the inputs meet, losses, source."""
    from mnist_adder import designs as registry

    rows: list[dict[str, Any]] = [
        {
            "name": name,
            "parameters": design().parameter_count(),
            "meeting": design.meeting,
            "losses": design.objective,
            "source": design.source.title if design.source else "ours",
        }
        for name, design in ((name, registry.get(name)) for name in registry.names())
    ]
    if as_json:
        print(json.dumps({"designs": rows}))
        return
    table = _table("design", "parameters", "how the inputs meet", "losses", "source")
    for row in rows:
        table.add_row(row["name"], f"{row['parameters']:,}", row["meeting"], row["losses"], row["source"])
    _console().print(table)


def _command() -> str:
    """How the user can call this program again: by its name if the shell finds it, else by its path."""
    called = Path(sys.argv[0])
    if shutil.which("mnist-adder") or called.name != "mnist-adder":
        return "mnist-adder"
    return os.path.relpath(called)


@contextlib.contextmanager
def _silent_c_libraries() -> Iterator[None]:
    """Keep what C libraries print to standard error from the user: libtiff does, on a damaged file.

    Our own message about the file comes afterwards.
    """
    standard_error, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(standard_error, 2)
        os.close(standard_error)
        os.close(nowhere)


def _parse_settings(settings: list[str]) -> dict[str, str]:
    for setting in settings:
        if "=" not in setting:
            raise MnistAdderError(f"--set {setting} has no value. Write it as --set key=value.")
    return dict(setting.split("=", 1) for setting in settings)


def _console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    console = Console(stderr=stderr)
    if not console.is_terminal:
        console.width = 110  # a log file has no width; 80 would break tables
    return console


def _table(*headings: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in ("parameters", "%") else "left")
    return table


def _print_metrics(results: Mapping[str, Any]) -> None:
    measures = {
        "digit": "digit_accuracy",
        "sum": "sum_accuracy",
        "both, counted on the same pair": "joint_accuracy",
        "mean of the two": "mean_accuracy",
        "product of the two": "product_accuracy",
        "digit answer the same for all ten numbers": "digit_consistency",
        "sum answer contradicts the digit answer": "contradiction",
    }
    table = _table(f"{results['design']} on {results['dataset']}, {results['pairs']:,} pairs", "%")
    for label, name in measures.items():
        table.add_row(label, f"{100 * results[name]:.2f}")
    _console().print(table)
    if "train_seconds" in results:
        print(f"{results['parameters']:,} parameters, trained in {results['train_seconds']:.1f} s")


def _bars(title: str, probabilities: tuple[float, ...]) -> Table:
    table = _table(title, "", "%")
    for value, probability in enumerate(probabilities):
        if probability >= 0.0005:
            table.add_row(str(value), "█" * round(30 * probability), f"{100 * probability:.1f}")
    return table


if __name__ == "__main__":
    main()
