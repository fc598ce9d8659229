"""``mnist-adder worksheet``: write backpropagation as a spreadsheet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mnist_adder.cli.app import app
from mnist_adder.errors import MnistAdderError


@app.command(epilog="Example: mnist-adder worksheet --out lesson.xlsx")
def worksheet(
    out: Annotated[Path, typer.Option(help="The .xlsx file; an existing one is replaced.")] = Path(
        "worksheet.xlsx"
    ),
) -> None:
    """Write backpropagation as a spreadsheet: change a number and see what follows.

    A 2-2-2 network, six learning rates, a head that learns to add, the exact sum; checked against PyTorch.
    """
    if out.suffix.lower() != ".xlsx":
        raise MnistAdderError(f"The worksheet's name is {out}, but must end in .xlsx.")
    if not out.parent.is_dir():
        raise MnistAdderError(f"There is no folder {out.parent}. Make it, or name another with --out.")
    from mnist_adder.safe_io import write_bytes
    from mnist_adder.worksheet import build_worksheet

    written = build_worksheet()
    write_bytes(out, written.content)
    print(f"Worksheet: {out}, {len(written.content):,} bytes")
    print(f"Its numbers differ from PyTorch's by {written.difference.number:.0e} at most")
    print("Next:  open it; on the sheet Small network change the learning rate, cell B4, from 0.5 to 5")
