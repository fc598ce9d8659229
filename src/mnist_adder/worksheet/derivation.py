"""The sheet of the derivation: each step's formula beside its cells, a drawing, a legend of the colours.

The small network's first row comes in; the sheet shows its numbers and works out the factors of the chain
rule on the way, so that each product can be followed.
"""

from __future__ import annotations

from collections.abc import Sequence

from mnist_adder.worksheet.book import Book, Cell, Sheet
from mnist_adder.worksheet.drawing import draw_network
from mnist_adder.worksheet.expressions import Expression
from mnist_adder.worksheet.look import Kind
from mnist_adder.worksheet.small_network import Row

TITLE = "Derivation"
HEADER_ROW, FIRST_ROW = 3, 4
LEGEND: tuple[tuple[Kind, str], ...] = (
    ("input", "an input: change it"),
    ("computed", "computed on the way forward, and weights that follow from it"),
    ("gradient", "a partial derivative, computed on the way back"),
    ("answer", "what comes out: errors, answers, probabilities"),
    ("check", "the difference from PyTorch's autograd"),
)


class _Steps:
    """The table of steps, a line each."""

    def __init__(self, sheet: Sheet) -> None:
        self.sheet, self.line = sheet, FIRST_ROW

    def heading(self, text: str) -> None:
        self.sheet.write(self.line, 0, text, "heading")
        self.line += 1

    def show(self, what: str, mathematics: str, cell: Cell, kind: Kind = "computed") -> None:
        """A step that another sheet's cell holds: its formula there, and its number."""
        self._write(what, mathematics, cell)
        self.sheet.put(self.line, 4, cell, kind)
        self.line += 1

    def work_out(self, what: str, mathematics: str, formula: Expression) -> Cell:
        """A step that only this sheet holds."""
        cell = self.sheet.put(self.line, 4, formula, "gradient")
        self._write(what, mathematics, cell)
        self.line += 1
        return cell

    def _write(self, what: str, mathematics: str, cell: Cell) -> None:
        self.sheet.write(self.line, 0, what, "math")
        self.sheet.write(self.line, 1, mathematics, "math")
        self.sheet.write(self.line, 2, "here" if cell.sheet == TITLE else cell.address.partition("!")[2])
        self.sheet.write(self.line, 3, cell.formula.replace("'Small network'!", ""))


def add_derivation(book: Book, rows: Sequence[Row]) -> None:
    """Write the sheet, from the first two rows of the small network."""
    sheet = book.sheet(
        TITLE,
        "Every step of one update, and where it stands",
        "Cells are those of the sheet Small network; E18 and the like are here. Change an input there and "
        "these numbers follow.",
        colour="#2F6DB5",
    )
    sheet.write_all(HEADER_ROW, 0, ("what", "formula", "its cell", "what the cell says", "number now"))
    steps, row = _Steps(sheet), rows[0]
    _forward(steps, row)
    d_o = _output_layer(steps, row)
    _hidden_layer(steps, row, d_o)
    steps.heading("Update: each weight goes down its slope, all at once")
    for k in range(1, 9):
        steps.show(f"w{k}, new", f"w{k} − η × ∂E/∂w{k}        η: the learning rate", rows[1][f"w{k}"])
    steps.show("E_total, new", "all of the above with the new weights", rows[1]["E_total"], "answer")
    sheet.place_picture(
        (HEADER_ROW, 6),
        draw_network(),
        0.7,
        "The network: i1, i2 to h1, h2 by w1..w4 with bias b1, h1, h2 to o1, o2 by w5..w8 with bias b2",
    )
    write_legend(sheet, 24, 6)
    sheet.lay_out(
        frozen=(FIRST_ROW, 1),
        widths={"A:A": 14, "B:B": 50, "C:C": 8, "D:D": 58, "E:E": 12, "F:F": 3, "G:G": 12, "H:H": 52},
    )


def write_legend(sheet: Sheet, line: int, column: int) -> None:
    """What the colours mean."""
    sheet.write(line, column, "Colours", "heading")
    for place, (kind, meaning) in enumerate(LEGEND, 1):
        sheet.write(line + place, column, "0.123", kind)
        sheet.write(line + place, column + 1, meaning, "note")


def _forward(steps: _Steps, row: Row) -> None:
    steps.heading("Forward")
    sums = {"h1": "w1·i1 + w2·i2 + b1", "h2": "w3·i1 + w4·i2 + b1",
            "o1": "w5·a_h1 + w6·a_h2 + b2", "o2": "w7·a_h1 + w8·a_h2 + b2"}  # fmt: skip
    for layer in ("h", "o"):
        for name in (f"{layer}1", f"{layer}2"):
            steps.show(name, sums[name], row[name])
            steps.show(f"a_{name}", f"σ({name}) = 1 / (1 + e^−{name})", row[f"a_{name}"])
    for k in (1, 2):
        steps.show(f"E{k}", f"½ (t{k} − a_o{k})²", row[f"E{k}"], "answer")
    steps.show("E_total", "E1 + E2", row["E_total"], "answer")


def _output_layer(steps: _Steps, row: Row) -> list[Cell]:
    """w5..w8; returns ∂E/∂o1 and ∂E/∂o2."""
    steps.heading("Back to w5 .. w8: chain rule")
    d_o = []
    for k in (1, 2):
        outer = steps.work_out(
            f"∂E/∂a_o{k}", f"a_o{k} − t{k}        (only E{k} contains a_o{k})", row[f"a_o{k}"] - row[f"t{k}"]
        )
        inner = steps.work_out(
            f"∂a_o{k}/∂o{k}",
            f"a_o{k} (1 − a_o{k})        the sigmoid's slope",
            row[f"a_o{k}"] * (1 - row[f"a_o{k}"]),
        )
        d_o.append(steps.work_out(f"∂E/∂o{k}", f"∂E/∂a_o{k} × ∂a_o{k}/∂o{k}", outer * inner))
    for weight, (output, hidden) in enumerate(((1, 1), (1, 2), (2, 1), (2, 2)), 5):
        steps.show(
            f"∂E/∂w{weight}",
            f"∂E/∂o{output} × a_h{hidden}        (w{weight} joins h{hidden} to o{output})",
            row[f"dw{weight}"],
            "gradient",
        )
    return d_o


def _hidden_layer(steps: _Steps, row: Row, d_o: Sequence[Cell]) -> None:
    """w1..w4: a hidden node is reached through both outputs."""
    steps.heading("Back to w1 .. w4: through both outputs")
    for k, (to_o1, to_o2) in enumerate((("w5", "w7"), ("w6", "w8")), 1):
        outer = steps.work_out(
            f"∂E/∂a_h{k}", f"∂E/∂o1 × {to_o1} + ∂E/∂o2 × {to_o2}", d_o[0] * row[to_o1] + d_o[1] * row[to_o2]
        )
        inner = steps.work_out(
            f"∂a_h{k}/∂h{k}", f"a_h{k} (1 − a_h{k})", row[f"a_h{k}"] * (1 - row[f"a_h{k}"])
        )
        steps.work_out(f"∂E/∂h{k}", f"∂E/∂a_h{k} × ∂a_h{k}/∂h{k}", outer * inner)
    for weight, (hidden, put_in) in enumerate(((1, 1), (1, 2), (2, 1), (2, 2)), 1):
        steps.show(
            f"∂E/∂w{weight}",
            f"∂E/∂h{hidden} × i{put_in}        (w{weight} joins i{put_in} to h{hidden})",
            row[f"dw{weight}"],
            "gradient",
        )
