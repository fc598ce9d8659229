"""``mnist-adder predict``: name the digit in a picture and its sum with a number."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from mnist_adder.cli.app import WHICH_RUN, AsJson, app
from mnist_adder.cli.output import bars, make_console, own_command, silent_c_libraries
from mnist_adder.errors import MnistAdderError


@app.command(epilog="Example: mnist-adder predict photo.png 7")
def predict(
    image: Annotated[
        Path, typer.Argument(help="Any picture of one digit; - reads standard input.", show_default=False)
    ],
    number: Annotated[str, typer.Argument(help="0..9", show_default=False)],
    run: Annotated[
        Path | None, typer.Option(help=f"{WHICH_RUN} Default: default.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Name the digit in a picture and its sum with a number."""
    from mnist_adder.inference import Predictor
    from mnist_adder.pretrained import LATEST

    if str(image) in set("0123456789") and len(number) > 1 and not image.exists():
        raise MnistAdderError(
            f"Give the picture first, then the number: {own_command()} predict {number} {image}"
        )
    with silent_c_libraries():
        predictor = Predictor(run)
        answer = predictor.predict(sys.stdin.buffer if str(image) == "-" else image, number)
    if as_json:
        print(json.dumps(dataclasses.asdict(answer)))
        return
    if run is None:
        print("Answered by the weights of the package; --run names others.", file=sys.stderr)
    elif str(run) == LATEST:
        print(f"Answered by {predictor.folder}.", file=sys.stderr)
    console = make_console()
    console.print(f"[bold]{answer.digit} + {answer.number} = {answer.sum}[/]", highlight=False)
    if answer.several:
        console.print("[yellow]These seem to be several digits; cut out one.[/]")
    elif not answer.is_digit:
        chance = f"p = {answer.is_digit_probability:.3f} for a digit"
        console.print(f"[yellow]This may be no digit, or several ({chance}).[/]", highlight=False)
    console.print(bars("digit", answer.digit_probabilities), bars("sum", answer.sum_probabilities))
