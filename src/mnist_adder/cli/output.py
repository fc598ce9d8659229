"""How the command line prints: results to standard output, everything else to standard error."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_adder.errors import MnistAdderError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rich.console import Console
    from rich.table import Table

    from mnist_adder.comparison.compare import Comparison

_PLAIN = {"█": "#", "±": "+-", "×": "x", "–": "-", "−": "-", "…": "..."}
"""What is printed where an encoding lacks a character; anything else becomes ``?``."""
_NUMBERS = ("parameters", "multiply-adds", "seconds", "digit", "sum", "both", "%")
"""Headings of columns of numbers."""


def own_command() -> str:
    """What to type to run this program again: its name if the shell finds it, else its path."""
    called = Path(sys.argv[0])
    if shutil.which("mnist-adder") or called.name != "mnist-adder":
        return "mnist-adder"
    return os.path.relpath(called)


def print_plainly_if_needed() -> None:
    """Let what is printed suit any encoding, cp1252 or ASCII too: plain characters instead of an error."""
    codecs.register_error("plain", _in_plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="plain")


def _in_plain(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    missing = error.object[error.start : error.end]
    return "".join(_PLAIN.get(letter, "?") for letter in missing), error.end


@contextlib.contextmanager
def silent_c_libraries() -> Iterator[None]:
    """Hide what C libraries print to standard error, as libtiff does for a damaged file.

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


def make_console(*, stderr: bool = False) -> Console:
    """A console, wide enough for tables where the output goes to a file."""
    from rich.console import Console

    console = Console(stderr=stderr)
    if not console.is_terminal:
        console.width = 110  # a log file has no width; 80 would break tables
    return console


def notifier(console: Console) -> Callable[[str], None]:
    """A function that prints sentences to a console while something runs."""
    return lambda sentence: console.print(sentence, highlight=False, soft_wrap=True)


def make_table(*headings: str) -> Table:
    """A table; columns of numbers are aligned right."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in _NUMBERS else "left")
    return table


def print_metrics(results: Mapping[str, Any]) -> None:
    """Print what was measured as a table."""
    from mnist_adder.run_config import network_name

    measures = {
        "digit": "digit_accuracy",
        "sum": "sum_accuracy",
        "both, counted on the same pair": "joint_accuracy",
        "mean of the two": "mean_accuracy",
        "product of the two": "product_accuracy",
        "digit answer the same for all ten numbers": "digit_consistency",
        "sum answer contradicts the digit answer": "inconsistency",
    }
    asked = f"{results['pairs']:,} {results.get('split', 'test')} pairs"
    how = ", with test-time augmentation" if results.get("tta") else ""
    table = make_table(f"{network_name(results)} on {results['dataset']}, {asked}{how}", "%")
    for label, name in measures.items():
        table.add_row(label, f"{100 * results[name]:.2f}")
    make_console().print(table)
    if "train_seconds" in results:
        print(f"{results['parameters']:,} parameters, trained in {results['train_seconds']:.1f} s")


def print_outliers(outliers: Mapping[str, Any]) -> None:
    """Print how well digits were told from other characters as a table."""
    measures = {
        "digits taken for digits": "kept",
        "other characters taken for digits": "passing",
        "the same, if 98 % of the digits were kept": "passing_at_98",
        "area under the ROC curve": "auroc",
    }
    what = f"{outliers['digits']:,} digits and {outliers['others']:,} other characters"
    table = make_table(f"{what} of held-out writers", "%")
    for label, name in measures.items():
        table.add_row(label, f"{100 * outliers[name]:.2f}")
    make_console().print(table)


def print_comparison(comparison: Comparison) -> None:
    """Print the models side by side."""
    from mnist_adder.reports.comparison import in_percent, in_seconds

    table = make_table("model", "parameters", "multiply-adds", "seconds", "digit", "sum", "both")
    for row in comparison.rows:
        table.add_row(
            row.model,
            f"{row.parameters:,}",
            f"{row.multiply_adds:,}",
            in_seconds(row, 1),
            *(in_percent(row, f"{what}_accuracy") for what in ("digit", "sum", "joint")),
        )
    make_console().print(table)


def parse_settings(settings: list[str]) -> dict[str, str]:
    """The values of --set by name, from ``["epochs=3"]``.

    Raises:
        MnistAdderError: a setting has no value.
    """
    for setting in settings:
        if "=" not in setting:
            raise MnistAdderError(f"--set {setting} has no value. Write it as --set key=value.")
    return dict(setting.split("=", 1) for setting in settings)


def bars(title: str, probabilities: tuple[float, ...]) -> Table:
    """Probabilities as a table with bars; those below 0.05 % are left out."""
    table = make_table(title, "", "%")
    for value, probability in enumerate(probabilities):
        if probability >= 0.0005:
            table.add_row(str(value), "█" * round(30 * probability), f"{100 * probability:.1f}")
    return table
