"""The program: its exit codes, and the options that several commands share.

The commands in the files beside this one register themselves here. A user's mistake, a missing extra or a
file that cannot be written ends in one line and exit code 2.
"""

from __future__ import annotations

import _thread
import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import typer
from typer.core import TyperGroup

from mnist_adder import __version__
from mnist_adder.cli.output import print_plainly_if_needed
from mnist_adder.errors import MnistAdderError
from mnist_adder.extras import naming_the_extra


class _Commands(TyperGroup):
    """Lists the commands with their whole first sentences: click would cut each to one line."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write a line or two for each command."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, command.get_short_help_str(limit=1000)) for name, command in commands if command]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # frames and colours would take half the time of --help
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

WHICH_RUN = "A run folder, latest (the newest in runs/), or weights of the package: default, best, tiny."
RunFolder = Annotated[Path, typer.Argument(help=WHICH_RUN, show_default=False)]
DataDir = Annotated[
    Path | None,
    typer.Option(help="The four MNIST files. Default: MNIST_ADDER_DATA, the cache, download."),
]
ModelName = Annotated[str, typer.Argument(help="Which model: see mnist-adder models.")]
Seed = Annotated[
    int, typer.Option(min=0, max=2**32 - 1, help="Seeds weights, order, numbers and augmentation.")
]
Dataset = Annotated[
    Literal["auto", "mnist", "digits"], typer.Option(help="auto: MNIST, else scikit-learn's digits.")
]
TrainingSet = Annotated[
    Literal["auto", "mnist", "mnist+pen", "digits"],
    typer.Option(help="auto: MNIST, else scikit-learn's digits; mnist+pen: with pen-written ones."),
]
Precision = Annotated[
    Literal["32-true", "bf16-mixed"] | None,
    typer.Option(
        help="float32, or bfloat16 in the encoder. Default: the quicker one here.", show_default=False
    ),
]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change the recipe; repeatable.")
]
DEFAULT_MODEL = "exact-sum"  # models.DEFAULT, which would import torch
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


def main() -> None:
    """Run the command line; the entry point of ``mnist-adder``."""
    print_plainly_if_needed()
    try:
        _set_up_matplotlib()
        try:
            with naming_the_extra(), _keeping_interrupts():
                app()
        finally:
            if sys.stdout is not None:  # it may be closed
                sys.stdout.flush()  # here a full disk is one line; at Python's exit it would be a traceback
    except MnistAdderError as error:
        _fail(str(error))
    except BrokenPipeError:  # the reader has closed our output, as head does
        _forget_output()
        sys.exit(0)
    except OSError as error:
        _forget_output()
        _fail(f"{error.filename or 'Output'}: {error.strerror or error}.")


def _set_up_matplotlib() -> None:
    """Figures are files here; a notebook may name a backend that this environment lacks.

    Without a home matplotlib would warn, and find its fonts anew each time.
    """
    os.environ["MPLBACKEND"] = "agg"
    if not os.access(os.path.expanduser("~"), os.W_OK):  # noqa: PTH111 - Path's raises without an account
        os.environ.setdefault("MPLCONFIGDIR", str(Path(tempfile.gettempdir()) / "mnist-adder" / "matplotlib"))


@contextlib.contextmanager
def _keeping_interrupts() -> Iterator[None]:
    """Raise Ctrl-C again where Python had to drop it, as in a ``__del__``."""
    before = sys.unraisablehook

    def heed(dropped: sys.UnraisableHookArgs) -> None:
        if issubclass(dropped.exc_type, KeyboardInterrupt):
            threading.Timer(0.01, _thread.interrupt_main).start()  # at once it would be dropped again
        else:
            before(dropped)

    sys.unraisablehook = heed
    try:
        yield
    finally:
        sys.unraisablehook = before


def _fail(message: str) -> NoReturn:
    print(f"mnist-adder: {message}", file=sys.stderr)
    sys.exit(2)


def _forget_output() -> None:
    """Send standard output to nowhere, so that Python's own flush at exit succeeds."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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

    Example: mnist-adder train, then mnist-adder predict photo.png 7
    """
