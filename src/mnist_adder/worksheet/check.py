"""The sheets Check and Autograd: how far the worksheet is from what PyTorch says to the same numbers.

The other sheets' cells come in. Autograd gets PyTorch's numbers as the file is written, Check the live
differences: a changed input shows there as changed, since PyTorch did not see it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from mnist_adder.worksheet import adder_head, autograd, small_network
from mnist_adder.worksheet.adder_head import HeadRow
from mnist_adder.worksheet.book import Book, Cell, Sheet, over, span
from mnist_adder.worksheet.exact_sum import ExactSum
from mnist_adder.worksheet.expressions import Expression, where
from mnist_adder.worksheet.look import TINY, WHOLE
from mnist_adder.worksheet.small_network import COLUMNS, Row, Settings

TITLE, NUMBERS_TITLE = "Check", "Autograd"
HEADER_ROW, FIRST_ROW = 4, 5
TOLERANCE = 1e-9
_COLUMNS_FROM = 22
"""The row of the sheet Autograd below which stand numbers that go down; those that go across stand above."""


class _Checks:
    """Both sheets, filled comparison by comparison."""

    def __init__(self, book: Book) -> None:
        self.sheet: Sheet = book.sheet(
            TITLE,
            "The worksheet against PyTorch's autograd",
            "PyTorch worked out the same numbers in double precision as this file was written (Autograd).",
            colour="#7E57A6",
        )
        self.numbers: Sheet = book.sheet(
            NUMBERS_TITLE,
            "PyTorch's numbers, as they were when this file was written",
            "Constants: nothing here changes. The sheet Check compares with them.",
            colour="#7E57A6",
            number_format="0.000000000",
        )
        self.line, self.across, self.down = FIRST_ROW, 3, 0
        self.differences: list[Cell] = []
        self.moved: Expression | None = None

    def begin(self, heading: str, inputs: Sequence[tuple[Sequence[Cell], Sequence[float]]]) -> None:
        """Start a group: its inputs, with what PyTorch was given."""
        self.sheet.write(self.line, 0, heading, "heading")
        moved = None
        for cells, given in inputs:
            apart = self._apart(f"{heading}: inputs", cells, given)
            moved = apart if moved is None else moved + apart
        assert moved is not None
        self.sheet.write(self.line, 1, "inputs, as far as they were changed")
        self.moved = self.sheet.put(self.line, 3, moved, "check", number_format=TINY)
        self.line += 1

    def compare(self, what: str, cells: Sequence[Cell], reference: Tensor) -> None:
        """One line: a row or a column of cells, with PyTorch's numbers for them."""
        assert self.moved is not None
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

    def _apart(self, what: str, cells: Sequence[Cell], numbers: Sequence[float]) -> Expression:
        """The root of the sum of all squared differences: no single one is larger."""
        assert len(cells) == len(numbers)
        if cells[0].row == cells[-1].row:
            places = [(self.across, 1 + k) for k in range(len(cells))]
            self.numbers.write(self.across, 0, what)
            self.across += 1
            assert self.across < _COLUMNS_FROM
        else:
            places = [(_COLUMNS_FROM + 1 + k, self.down) for k in range(len(cells))]
            self.numbers.write(_COLUMNS_FROM, self.down, what, "header")
            self.down += 1
        stored = [
            self.numbers.put(*at, number, "reference") for at, number in zip(places, numbers, strict=True)
        ]
        value = math.sqrt(
            sum((cell.number - number) ** 2 for cell, number in zip(cells, numbers, strict=True))
        )
        return Expression(f"SQRT(SUMXMY2({span(cells)},{span(stored)}))", value)


@dataclass(frozen=True, kw_only=True)
class Sheets:
    """What the other sheets hold, for checks and tests."""

    settings: Settings
    small: list[Row]
    rates: list[Cell]
    runs: list[list[Row]]
    head_rate: Cell
    head: list[HeadRow]
    exact: ExactSum


def add_checks(book: Book, sheets: Sheets) -> Cell:
    """Write both sheets; the largest difference of all."""
    checks = _Checks(book)
    sheet = checks.sheet
    sheet.write(
        2, 0, "A difference is the root of the sum of the squared differences of all the numbers compared."
    )
    sheet.write_all(HEADER_ROW, 0, ("sheet", "what", "numbers", "difference", "verdict"))
    _check_networks(checks, sheets)
    _check_head(checks, sheets)
    _check_exact_sum(checks, sheets.exact)
    sheet.write(checks.line, 1, "the largest of all")
    highest = sheet.put(checks.line, 3, over("MAX", checks.differences, max), "check", number_format=TINY)
    sheet.lay_out(frozen=(FIRST_ROW, 0), widths={"A:A": 16, "B:B": 46, "C:E": 15})
    checks.numbers.lay_out(frozen=(3, 1), pages_wide=4, widths={"A:A": 30, "B:CZ": 13})
    return highest


def _check_networks(checks: _Checks, sheets: Sheets) -> None:
    s = sheets.settings
    inputs = [s.rate, *s.inputs, *s.targets, *s.biases, *s.weights]
    given = [cell.number for cell in inputs]
    checks.begin("Small network", [(inputs, given)])
    x, t, b, w = given[1:3], given[3:5], given[5:7], given[7:]
    updates = small_network.UPDATES
    reference = autograd.small_network(x, t, w, b, given[0], updates)
    for name, _ in COLUMNS:
        if name in reference:
            label = f"∂E/∂{name[1:]}" if name.startswith("dw") else name
            checks.compare(f"{label}, all updates", [row[name] for row in sheets.small], reference[name])
    rates = [rate.number for rate in sheets.rates]
    checks.begin("Learning rates", [(inputs, given), (sheets.rates, rates)])
    for rate, rows in zip(rates, sheets.runs, strict=True):
        reference = autograd.small_network(x, t, w, b, rate, updates)
        checks.compare(
            f"E_total at {rate:g}, all updates", [row["E_total"] for row in rows], reference["E_total"]
        )


def _check_head(checks: _Checks, sheets: Sheets) -> None:
    rows = sheets.head
    digits, numbers = [row.digit for row in rows], [row.number for row in rows]
    groups: list[Sequence[Cell]] = [[sheets.head_rate], rows[0].parameters, digits, numbers]
    given = [[cell.number for cell in group] for group in groups]
    checks.begin(adder_head.TITLE, list(zip(groups, given, strict=True)))
    reference = autograd.adder_head(given[1], given[2], given[3], given[0][0])
    checks.compare("answer, all updates", [row.answer for row in rows], reference["answer"])
    checks.compare("error², all updates", [row.error for row in rows], reference["error"])
    checks.compare("51 partial derivatives, first update", rows[0].slopes, reference["slopes"][0])
    checks.compare("51 partial derivatives, last update", rows[-1].slopes, reference["slopes"][-1])
    checks.compare("51 parameters, before the last update", rows[-1].parameters, reference["parameters"][-1])


def _check_exact_sum(checks: _Checks, exact: ExactSum) -> None:
    groups: list[Sequence[Cell]] = [exact.logits, [exact.digit, exact.number], exact.number_probabilities]
    given = [[cell.number for cell in group] for group in groups]
    checks.begin("Exact sum", list(zip(groups, given, strict=True)))
    reference = autograd.exact_sum(given[0], int(given[1][0]), int(given[1][1]))
    checks.compare("P(digit)", exact.digit_probabilities, reference["digit_probabilities"])
    checks.compare("P(sum)", exact.sum_probabilities, reference["sum_probabilities"])
    checks.compare("the two losses", [exact.digit_loss, exact.sum_loss], reference["losses"])
    checks.compare("∂L_digit/∂z", exact.digit_slopes, reference["digit_slopes"])
    checks.compare("∂L_sum/∂z", exact.sum_slopes, reference["sum_slopes"])
    checks.compare("∂L/∂z", exact.slopes, reference["slopes"])
