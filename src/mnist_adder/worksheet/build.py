"""The whole workbook: the sheets in their order."""

from __future__ import annotations

from dataclasses import dataclass

from mnist_adder.worksheet import start
from mnist_adder.worksheet.adder_head import add_adder_head
from mnist_adder.worksheet.book import Book, Cell
from mnist_adder.worksheet.check import Sheets, add_checks
from mnist_adder.worksheet.derivation import add_derivation
from mnist_adder.worksheet.exact_sum import add_exact_sum
from mnist_adder.worksheet.learning_rates import add_learning_rates
from mnist_adder.worksheet.small_network import add_small_network


@dataclass(frozen=True, kw_only=True)
class Worksheet:
    """A written workbook."""

    content: bytes  # the .xlsx file
    sheets: Sheets  # the cells of its quantities
    difference: Cell  # the largest difference from PyTorch


def build_worksheet(*, cached: bool = True) -> Worksheet:
    """Write the workbook; the same bytes each time.

    Args:
        cached: whether formulas are stored with their values, for viewers that do not calculate. If not, each
            is 0 until a program calculates it.
    """
    book = Book(cached=cached)
    first = book.sheet(start.TITLE, start.HEADING, start.EXPLANATION)
    inputs, small = add_small_network(book)
    add_derivation(book, small)
    runs = add_learning_rates(book, inputs)
    head_rate, head = add_adder_head(book)
    exact = add_exact_sum(book)
    sheets = Sheets(inputs=inputs, small=small, runs=runs, head_rate=head_rate, head=head, exact=exact)
    difference = add_checks(book, sheets)
    start.fill_start(first, small, difference)
    return Worksheet(content=book.to_bytes(), sheets=sheets, difference=difference)
