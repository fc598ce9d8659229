"""The sheet of the 2-2-2 sigmoid network: a row an update, each row's weights formulas of the row before."""

from __future__ import annotations

from collections.abc import Sequence

from mnist_adder.worksheet.book import Book, Cell, Sheet
from mnist_adder.worksheet.expressions import Expression, sigmoid, square
from mnist_adder.worksheet.look import PLAIN, Kind

TITLE = "Small network"
UPDATES = 100
INPUTS = {
    "rate": 0.5,
    "i1": 0.05, "i2": 0.10, "t1": 0.01, "t2": 0.99, "b1": 0.0, "b2": 0.0,
    "w1": 0.15, "w2": 0.20, "w3": 0.25, "w4": 0.30, "w5": 0.40, "w6": 0.45, "w7": 0.50, "w8": 0.55,
}  # fmt: skip
"""The known teaching example without biases; b1 = 0.35 and b2 = 0.60 are the documented variant."""

HEADER_ROW, FIRST_ROW = 6, 7
ROW_COLUMN = 10
"""The first column of a row's quantities; the error curve is to the left of them."""

GROUPS: tuple[tuple[str, Kind, tuple[str, ...]], ...] = (
    ("inputs", "computed", ("i1", "i2")),
    ("weights", "computed", tuple(f"w{k}" for k in range(1, 9))),
    ("hidden layer", "computed", ("h1", "h2", "a_h1", "a_h2")),
    ("outputs and targets", "computed", ("o1", "o2", "a_o1", "a_o2", "t1", "t2")),
    ("errors", "answer", ("E1", "E2", "E_total")),
    ("partial derivatives of E_total", "gradient", tuple(f"dw{k}" for k in range(1, 9))),
)
COLUMNS = tuple((name, kind) for _, kind, names in GROUPS for name in names)
Row = dict[str, Cell]
"""The cells of one update, by the names in ``COLUMNS``."""


def add_small_network(book: Book) -> tuple[Row, list[Row]]:
    """Write the sheet; its inputs by the names in ``INPUTS``, and a row for the start and each update."""
    sheet = book.sheet(
        TITLE,
        "A 2-2-2 network learns two targets: one row an update",
        "Change a yellow cell and watch the curve. Network, formulas and colours: sheet Derivation.",
        colour="#2F6DB5",
    )
    inputs = _write_inputs(sheet)
    write_headers(sheet, HEADER_ROW, ROW_COLUMN)
    sheet.write_row(HEADER_ROW, 0, ("update", "E_total"))
    counts = sheet.number_rows(FIRST_ROW, UPDATES + 1)
    rows, errors = place_rows(sheet, ROW_COLUMN, inputs, inputs["rate"], error_column=1)
    sheet.place_chart(
        (FIRST_ROW, 2),
        (500, 320),
        ("error after each update", "update", "E_total"),
        counts,
        {"E_total": errors},
    )
    sheet.lay_out(frozen=(FIRST_ROW, 2), pages_wide=2, widths={"A:A": 8, "B:B": 10, "C:J": 9, "K:AO": 9.5})
    return inputs, rows


def _write_inputs(sheet: Sheet) -> Row:
    """The yellow cells at the top, which stay in view; their names are ``w_1`` since ``w1`` is an address."""
    sheet.write(3, 0, "change me:")
    sheet.write_row(2, 1, list(INPUTS))
    sheet.write(
        4, 0, "b1 and b2, the layers' biases, are not learned. The other known variant: b1 = 0.35, b2 = 0.60."
    )
    return {
        name: sheet.put(
            3, column, number, "input", name="learning_rate" if name == "rate" else f"{name[0]}_{name[1]}"
        )
        for column, (name, number) in enumerate(INPUTS.items(), 1)
    }


def heading_of(name: str) -> str:
    """What a quantity of ``COLUMNS`` is called: ``∂E/∂w1`` for ``dw1``."""
    return f"∂E/∂{name[1:]}" if name.startswith("dw") else name


def write_headers(sheet: Sheet, line: int, column: int) -> None:
    """The names of a row's quantities, and those of their groups above them."""
    sheet.write_groups(line, column, {group: list(map(heading_of, names)) for group, _, names in GROUPS})


def place_rows(
    sheet: Sheet, column: int, inputs: Row, rate: Cell, error_column: int
) -> tuple[list[Row], list[Cell]]:
    """Learn: a row for the start and for each update, and the error once more in a column at the left.

    Args:
        sheet: where to.
        column: of the first quantity of ``COLUMNS``.
        inputs: of the small network, with the weights it starts from.
        rate: the learning rate.
        error_column: where the errors go.
    """
    weights: list[Expression] = [inputs[f"w{k}"] for k in range(1, 9)]
    rows, errors = [], []
    for line in range(FIRST_ROW, FIRST_ROW + UPDATES + 1):
        row = _place_row(sheet, line, column, inputs, weights)
        rows.append(row)
        errors.append(sheet.put(line, error_column, row["E_total"], "answer"))
        weights = [row[f"w{k}"] - rate * row[f"dw{k}"] for k in range(1, 9)]
    return rows, errors


def _place_row(sheet: Sheet, line: int, column: int, inputs: Row, weights: Sequence[Expression]) -> Row:
    """Forward and backward once, with eight formulas for w1..w8."""
    row: Row = {}
    places = {name: (column + k, kind) for k, (name, kind) in enumerate(COLUMNS)}

    def let(name: str, formula: Expression) -> Cell:
        at, kind = places[name]
        row[name] = sheet.put(line, at, formula, kind, number_format=PLAIN if name[0] in "it" else "")
        return row[name]

    i1, i2, t1, t2 = (let(name, inputs[name]) for name in ("i1", "i2", "t1", "t2"))
    w1, w2, w3, w4, w5, w6, w7, w8 = (let(f"w{k}", formula) for k, formula in enumerate(weights, 1))
    b1, b2 = inputs["b1"], inputs["b2"]

    a_h1 = let("a_h1", sigmoid(let("h1", w1 * i1 + w2 * i2 + b1)))
    a_h2 = let("a_h2", sigmoid(let("h2", w3 * i1 + w4 * i2 + b1)))
    a_o1 = let("a_o1", sigmoid(let("o1", w5 * a_h1 + w6 * a_h2 + b2)))
    a_o2 = let("a_o2", sigmoid(let("o2", w7 * a_h1 + w8 * a_h2 + b2)))
    e1 = let("E1", 0.5 * square(t1 - a_o1))
    e2 = let("E2", 0.5 * square(t2 - a_o2))
    let("E_total", e1 + e2)

    d_o1 = (a_o1 - t1) * a_o1 * (1 - a_o1)  # ∂E_total/∂o1
    d_o2 = (a_o2 - t2) * a_o2 * (1 - a_o2)
    d_h1 = (d_o1 * w5 + d_o2 * w7) * a_h1 * (1 - a_h1)  # ∂E_total/∂h1
    d_h2 = (d_o1 * w6 + d_o2 * w8) * a_h2 * (1 - a_h2)
    slopes = (d_h1 * i1, d_h1 * i2, d_h2 * i1, d_h2 * i2, d_o1 * a_h1, d_o1 * a_h2, d_o2 * a_h1, d_o2 * a_h2)
    for k, slope in enumerate(slopes, 1):
        let(f"dw{k}", slope)
    return row
