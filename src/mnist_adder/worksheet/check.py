"""The sheets Check and Autograd: how far the worksheet is from what PyTorch says to the same numbers.

Autograd has PyTorch's numbers as constants, Check the live differences. An input that the reader changes is
reported as changed, since PyTorch did not see it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from mnist_adder.worksheet import adder_head, autograd, exact_sum, learning_rates, small_network
from mnist_adder.worksheet.adder_head import HeadRow
from mnist_adder.worksheet.book import Book, Cell, over, span
from mnist_adder.worksheet.expressions import Expression, total, where
from mnist_adder.worksheet.look import TINY, WHOLE
from mnist_adder.worksheet.small_network import COLUMNS, UPDATES, Row, heading_of

TITLE, NUMBERS_TITLE = "Check", "Autograd"
HEADER_ROW, FIRST_ROW = 4, 5
TOLERANCE = 1e-9
_COLUMNS_FROM = 22
"""The row of the sheet Autograd below which columns of numbers are stored; rows are stored above it."""


@dataclass(frozen=True, kw_only=True)
class Sheets:
    """What the other sheets hold, for checks and tests."""

    inputs: Row  # of the small network
    small: list[Row]
    runs: list[tuple[Cell, list[Row]]]  # six learning rates, each with its rows
    head_rate: Cell
    head: list[HeadRow]
    exact: dict[str, list[Cell]]


def add_checks(book: Book, sheets: Sheets) -> Cell:
    """Write both sheets; the largest difference of all."""
    checks = _Checks(book)
    _check_small_network(checks, sheets)
    _check_learning_rates(checks, sheets)
    _check_adder_head(checks, sheets)
    _check_exact_sum(checks, sheets)
    return checks.finish()


class _Checks:
    """Both sheets, filled comparison by comparison."""

    def __init__(self, book: Book) -> None:
        self.sheet = book.sheet(
            TITLE,
            "The worksheet against PyTorch's autograd",
            "PyTorch worked out the same numbers in double precision as this file was written (Autograd).",
            colour="#7E57A6",
        )
        self.numbers = book.sheet(
            NUMBERS_TITLE,
            "PyTorch's numbers, as they were when this file was written",
            "Constants: nothing here changes. The sheet Check compares with them.",
            colour="#7E57A6",
            number_format="0.000000000",
        )
        self.sheet.write(
            2,
            0,
            "A difference is the root of the sum of the squared differences of all the numbers compared.",
        )
        self.sheet.write_row(HEADER_ROW, 0, ("sheet", "what", "numbers", "difference", "verdict"))
        self.line, self.across, self.down = FIRST_ROW, 3, 0
        self.differences: list[Cell] = []

    def begin(self, heading: str, *inputs: Sequence[Cell]) -> None:
        """Start a group of comparisons: PyTorch was given the inputs as they are now."""
        moved = [
            self._apart(f"{heading}: inputs", cells, [cell.number for cell in cells]) for cells in inputs
        ]
        self.sheet.write(self.line, 0, heading, "heading")
        self.sheet.write(self.line, 1, "inputs, as far as they were changed")
        self.moved = self.sheet.put(self.line, 3, total(moved), "check", number_format=TINY)
        self.line += 1

    def compare(self, what: str, cells: Sequence[Cell], reference: Tensor) -> None:
        """One line: a row or a column of cells, with PyTorch's numbers for them."""
        apart = self._apart(what, cells, reference.tolist())
        self.sheet.write(self.line, 1, what)
        self.sheet.put(self.line, 2, float(len(cells)), "reference", number_format=WHOLE)
        difference = self.sheet.put(self.line, 3, apart, "check", number_format=TINY)
        too_far = Expression(f"{difference.text}>{TOLERANCE:g}", float(difference.number > TOLERANCE))
        changed = Expression(f"{self.moved.text}>0", float(self.moved.number > 0))
        verdict = where(changed, "inputs changed", where(too_far, "DIFFERS", "agrees"))
        self.sheet.put(self.line, 4, verdict, "check")
        self.differences.append(difference)
        self.line += 1

    def finish(self) -> Cell:
        """Write the largest difference of all, and lay both sheets out."""
        assert self.across < _COLUMNS_FROM
        self.sheet.write(self.line, 1, "the largest of all")
        largest = over("MAX", self.differences, max)
        self.sheet.lay_out(frozen=(FIRST_ROW, 0), widths={"A:A": 16, "B:B": 46, "C:E": 15})
        self.numbers.lay_out(frozen=(3, 1), pages_wide=4, widths={"A:A": 30, "B:CZ": 13})
        return self.sheet.put(self.line, 3, largest, "check", number_format=TINY)

    def _apart(self, what: str, cells: Sequence[Cell], numbers: Sequence[float]) -> Expression:
        """The root of the sum of the squared differences, which no single difference exceeds."""
        if cells[0].row == cells[-1].row:
            self.numbers.write(self.across, 0, what)
            stored = self.numbers.put_row(self.across, 1, numbers, "reference")
            self.across += 1
        else:
            self.numbers.write(_COLUMNS_FROM, self.down, what, "header")
            stored = [
                self.numbers.put(line, self.down, number, "reference")
                for line, number in enumerate(numbers, _COLUMNS_FROM + 1)
            ]
            self.down += 1
        squares = [(cell.number - number) ** 2 for cell, number in zip(cells, numbers, strict=True)]
        return Expression(f"SQRT(SUMXMY2({span(cells)},{span(stored)}))", math.sqrt(sum(squares)))


def _check_small_network(checks: _Checks, sheets: Sheets) -> None:
    checks.begin(small_network.TITLE, list(sheets.inputs.values()))
    reference = autograd.small_network(_numbers(sheets.inputs), UPDATES)
    for name, _ in COLUMNS:
        if name in reference:
            cells = [row[name] for row in sheets.small]
            checks.compare(f"{heading_of(name)}, all updates", cells, reference[name])


def _check_learning_rates(checks: _Checks, sheets: Sheets) -> None:
    rates = [rate for rate, _ in sheets.runs]
    checks.begin(learning_rates.TITLE, list(sheets.inputs.values()), rates)
    for rate, rows in sheets.runs:
        reference = autograd.small_network(_numbers(sheets.inputs | {"rate": rate}), UPDATES)
        errors = [row["E_total"] for row in rows]
        checks.compare(f"E_total at {rate.number:g}, all updates", errors, reference["E_total"])


def _numbers(cells: Row) -> dict[str, float]:
    return {name: cell.number for name, cell in cells.items()}


def _check_adder_head(checks: _Checks, sheets: Sheets) -> None:
    rows, rate = sheets.head, sheets.head_rate
    digits, numbers = [row.digit for row in rows], [row.number for row in rows]
    inputs = rows[0].parameters, digits, numbers
    checks.begin(adder_head.TITLE, [rate], *inputs)
    given = [[cell.number for cell in cells] for cells in inputs]
    reference = autograd.adder_head(given[0], given[1], given[2], rate.number)
    checks.compare("answer, all updates", [row.answer for row in rows], reference["answer"])
    checks.compare("error², all updates", [row.error for row in rows], reference["error"])
    checks.compare("51 partial derivatives, first update", rows[0].slopes, reference["slopes"][0])
    checks.compare("51 partial derivatives, last update", rows[-1].slopes, reference["slopes"][-1])
    checks.compare("51 parameters, before the last update", rows[-1].parameters, reference["parameters"][-1])


def _check_exact_sum(checks: _Checks, sheets: Sheets) -> None:
    cells = sheets.exact
    checks.begin(exact_sum.TITLE, cells["logits"], cells["pair"], cells["number_probabilities"])
    digit, number = (int(cell.number) for cell in cells["pair"])
    reference = autograd.exact_sum([cell.number for cell in cells["logits"]], digit, number)
    for name, what in (
        ("digit_probabilities", "P(digit)"),
        ("sum_probabilities", "P(sum)"),
        ("losses", "the two losses"),
        ("digit_slopes", "∂L_digit/∂z"),
        ("sum_slopes", "∂L_sum/∂z"),
        ("slopes", "∂L/∂z"),
    ):
        checks.compare(what, cells[name], reference[name])
