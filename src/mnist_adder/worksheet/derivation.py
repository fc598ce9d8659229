"""The sheet of the derivation: each step's formula beside its cell and its number, and a drawing.

The factors of the chain rule are worked out here, so that each product can be followed.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

from mnist_adder.worksheet.book import Book, Cell, Sheet
from mnist_adder.worksheet.expressions import Expression
from mnist_adder.worksheet.look import Kind
from mnist_adder.worksheet.small_network import Row

TITLE = "Derivation"
HEADER_ROW, FIRST_ROW = 3, 4
DRAWING = Path(__file__).parent / "network.png"
"""The network; docs/worksheet_pictures.py draws it."""


class _Steps:
    """The table of steps, a line each."""

    def __init__(self, sheet: Sheet) -> None:
        self.sheet, self.line = sheet, FIRST_ROW

    def heading(self, text: str) -> None:
        self.sheet.write(self.line, 0, text, "heading")
        self.line += 1

    def show(self, what: str, mathematics: str, content: Expression, kind: Kind = "computed") -> Cell:
        """A step: a cell of the small network, or a formula that stands here; the cell with its number."""
        number = self.sheet.put(self.line, 4, content, kind)
        shown = content if isinstance(content, Cell) else number
        self.sheet.write_row(self.line, 0, (what, mathematics), "math")
        self.sheet.write(self.line, 2, "here" if shown is number else shown.place)
        self.sheet.write(self.line, 3, shown.formula.replace("'Small network'!", ""))
        self.line += 1
        return number


def add_derivation(book: Book, rows: Sequence[Row]) -> None:
    """Write the sheet, from the first two rows of the small network."""
    sheet = book.sheet(
        TITLE,
        "Every step of one update, and where it stands",
        "Cells are those of the sheet Small network; E18 and the like are here. Change an input there and "
        "these numbers follow.",
        colour="#2F6DB5",
    )
    sheet.write_row(HEADER_ROW, 0, ("what", "formula", "its cell", "what the cell says", "number now"))
    steps, row = _Steps(sheet), rows[0]
    _forward(steps, row)
    d_o = _output_layer(steps, row)
    _hidden_layer(steps, row, d_o)
    steps.heading("Update: each weight goes down its slope, all at once")
    for k in range(1, 9):
        steps.show(f"w{k}, new", f"w{k} − η × ∂E/∂w{k}        η: the learning rate", rows[1][f"w{k}"])
    steps.show("E_total, new", "all of the above with the new weights", rows[1]["E_total"], "answer")
    alternative = (
        "The network: i1, i2 to h1, h2 by w1..w4 with bias b1, h1, h2 to o1, o2 by w5..w8 with bias b2"
    )
    sheet.worksheet.insert_image(
        HEADER_ROW, 6, str(DRAWING), {"x_scale": 0.7, "y_scale": 0.7, "description": alternative}
    )
    sheet.explain_colours(24, 6)
    sheet.lay_out(
        frozen=(FIRST_ROW, 1),
        widths={"A:A": 14, "B:B": 50, "C:C": 8, "D:D": 58, "E:E": 12, "F:F": 3, "G:G": 12, "H:H": 52},
    )


def _forward(steps: _Steps, row: Row) -> None:
    steps.heading("Forward")
    sums = {"h1": "w1·i1 + w2·i2 + b1", "h2": "w3·i1 + w4·i2 + b1",
            "o1": "w5·a_h1 + w6·a_h2 + b2", "o2": "w7·a_h1 + w8·a_h2 + b2"}  # fmt: skip
    for name, weighted in sums.items():
        steps.show(name, weighted, row[name])
        steps.show(f"a_{name}", f"σ({name}) = 1 / (1 + e^−{name})", row[f"a_{name}"])
    for k in (1, 2):
        steps.show(f"E{k}", f"½ (t{k} − a_o{k})²", row[f"E{k}"], "answer")
    steps.show("E_total", "E1 + E2", row["E_total"], "answer")


def _output_layer(steps: _Steps, row: Row) -> list[Cell]:
    """w5..w8; returns ∂E/∂o1 and ∂E/∂o2."""
    steps.heading("Back to w5 .. w8: chain rule")
    d_o = []
    for k in (1, 2):
        mathematics = f"a_o{k} − t{k}        (only E{k} contains a_o{k})"
        by_a = row[f"a_o{k}"] - row[f"t{k}"]
        d_o.append(_through_sigmoid(steps, row, f"o{k}", mathematics, by_a, "        the sigmoid's slope"))
    _weights(steps, row, 5, ("o1", "o2"), ("h1", "h2"), "a_")
    return d_o


def _hidden_layer(steps: _Steps, row: Row, d_o: Sequence[Cell]) -> None:
    """w1..w4: a hidden node is reached through both outputs."""
    steps.heading("Back to w1 .. w4: through both outputs")
    for name, to_o1, to_o2 in (("h1", "w5", "w7"), ("h2", "w6", "w8")):
        by_a = d_o[0] * row[to_o1] + d_o[1] * row[to_o2]
        _through_sigmoid(steps, row, name, f"∂E/∂o1 × {to_o1} + ∂E/∂o2 × {to_o2}", by_a)
    _weights(steps, row, 1, ("h1", "h2"), ("i1", "i2"))


def _weights(
    steps: _Steps, row: Row, first: int, nodes: Sequence[str], before: Sequence[str], activation: str = ""
) -> None:
    """The slopes of a layer's four weights, the first of which is ``w{first}``."""
    for k, (node, source) in enumerate(itertools.product(nodes, before), first):
        mathematics = f"∂E/∂{node} × {activation}{source}        (w{k} joins {source} to {node})"
        steps.show(f"∂E/∂w{k}", mathematics, row[f"dw{k}"], "gradient")


def _through_sigmoid(
    steps: _Steps, row: Row, name: str, mathematics: str, by_a: Expression, remark: str = ""
) -> Cell:
    """Three steps: the slope by a node's activation, the sigmoid's slope, and their product, by its sum."""
    a = row[f"a_{name}"]
    outer = steps.show(f"∂E/∂a_{name}", mathematics, by_a, "gradient")
    inner = steps.show(f"∂a_{name}/∂{name}", f"a_{name} (1 − a_{name}){remark}", a * (1 - a), "gradient")
    return steps.show(f"∂E/∂{name}", f"∂E/∂a_{name} × ∂a_{name}/∂{name}", outer * inner, "gradient")
