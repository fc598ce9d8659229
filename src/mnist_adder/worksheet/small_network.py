"""The sheet of the 2-2-2 sigmoid network: a row an update, each row's weights formulas of the row before.

Nothing comes in but the numbers below, which are the known teaching example's; out goes the sheet, and its
inputs and rows, for the sheets of learning rates, derivation and checks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mnist_adder.worksheet.book import Book, Cell, Sheet
from mnist_adder.worksheet.expressions import Expression, sigmoid, square
from mnist_adder.worksheet.look import PLAIN, Kind

TITLE = "Small network"
UPDATES = 100
INPUTS, TARGETS = (0.05, 0.10), (0.01, 0.99)
WEIGHTS = (0.15, 0.20, 0.25, 0.30, 0.40, 0.45, 0.50, 0.55)
BIASES = (0.0, 0.0)
"""Without biases; 0.35 and 0.60 are the documented variant."""
LEARNING_RATE = 0.5

HEADER_ROW, FIRST_ROW = 6, 7
ROW_COLUMN = 10
"""Where a row's own quantities begin: the error curve stands to the left of them."""

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


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The cells a learner changes; each group in the order of the network."""

    inputs: Sequence[Cell]
    targets: Sequence[Cell]
    weights: Sequence[Cell]
    biases: Sequence[Cell]
    rate: Cell


def add_small_network(book: Book) -> tuple[Settings, list[Row]]:
    """Write the sheet; its inputs, and a row for the start and for each update."""
    sheet = book.sheet(
        TITLE,
        "A 2-2-2 network learns two targets: one row an update",
        "Change a yellow cell and watch the curve. Network, formulas and colours: sheet Derivation.",
        colour="#2F6DB5",
    )
    settings = _write_settings(sheet)
    write_headers(sheet, HEADER_ROW, ROW_COLUMN)
    sheet.write_all(HEADER_ROW, 0, ("update", "E_total"))
    weights: Sequence[Expression] = settings.weights
    rows: list[Row] = []
    counts = sheet.number_rows(FIRST_ROW, UPDATES + 1)
    errors: list[Cell] = []
    for update in range(UPDATES + 1):
        line = FIRST_ROW + update
        rows.append(place_row(sheet, line, ROW_COLUMN, settings, weights))
        errors.append(sheet.put(line, 1, rows[-1]["E_total"], "answer"))
        weights = updated(rows[-1], settings.rate)
    sheet.place_chart(
        (FIRST_ROW, 2),
        (500, 320),
        ("error after each update", "update", "E_total"),
        counts,
        {"E_total": errors},
    )
    sheet.lay_out(frozen=(FIRST_ROW, 2), pages_wide=2, widths={"A:A": 8, "B:B": 10, "C:J": 9, "K:AO": 9.5})
    return settings, rows


def _write_settings(sheet: Sheet) -> Settings:
    """The yellow cells at the top, named; they stay in sight."""
    sheet.write(3, 0, "change me:")
    column = 1

    def group(symbol: str, numbers: Sequence[float]) -> list[Cell]:
        nonlocal column
        cells = []
        for place, number in enumerate(numbers, 1):
            sheet.write(2, column, f"{symbol}{place}", "header")
            cells.append(sheet.put(3, column, number, "input", name=f"{symbol}_{place}"))
            column += 1
        return cells

    sheet.write(2, column, "rate", "header")
    rate = sheet.put(3, column, LEARNING_RATE, "input", name="learning_rate")
    column += 1
    inputs, targets, biases = group("i", INPUTS), group("t", TARGETS), group("b", BIASES)
    weights = group("w", WEIGHTS)
    sheet.write(
        4, 0, "b1 and b2, the layers' biases, are not learned. The other known variant: b1 = 0.35, b2 = 0.60."
    )
    return Settings(inputs=inputs, targets=targets, weights=weights, biases=biases, rate=rate)


def write_headers(sheet: Sheet, line: int, column: int) -> None:
    """The names of a row's quantities, and those of their groups above them."""
    for heading, _, names in GROUPS:
        sheet.write(line - 1, column, heading, "heading")
        for name in names:
            sheet.write(line, column, f"∂E/∂{name[1:]}" if name.startswith("dw") else name, "header")
            column += 1


def place_row(sheet: Sheet, line: int, column: int, settings: Settings, weights: Sequence[Expression]) -> Row:
    """Forward and backward once, from ``column`` on.

    Args:
        sheet: where to.
        line: the row.
        column: of the first quantity of ``COLUMNS``.
        settings: the inputs, targets and biases.
        weights: eight formulas for w1..w8.
    """
    row: Row = {}
    places = {name: (column + k, kind) for k, (name, kind) in enumerate(COLUMNS)}

    def let(name: str, formula: Expression) -> Cell:
        at, kind = places[name]
        row[name] = sheet.put(line, at, formula, kind, number_format=PLAIN if name[0] in "it" else "")
        return row[name]

    i1, i2 = (let(f"i{k}", cell) for k, cell in enumerate(settings.inputs, 1))
    t1, t2 = (let(f"t{k}", cell) for k, cell in enumerate(settings.targets, 1))
    w1, w2, w3, w4, w5, w6, w7, w8 = (let(f"w{k}", formula) for k, formula in enumerate(weights, 1))
    b1, b2 = settings.biases

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


def updated(row: Row, rate: Expression) -> list[Expression]:
    """The next row's eight weights: each goes down its own slope."""
    return [row[f"w{k}"] - rate * row[f"dw{k}"] for k in range(1, 9)]
