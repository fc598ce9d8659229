"""The sheet of six learning rates: the small network six times, side by side, and one chart of the errors.

The small network's inputs come in, so that a weight changed there changes all six; out go the rows of each
rate.
"""

from __future__ import annotations

from collections.abc import Sequence

from mnist_adder.worksheet.book import Book, Cell
from mnist_adder.worksheet.expressions import Expression
from mnist_adder.worksheet.look import PLAIN
from mnist_adder.worksheet.small_network import (
    COLUMNS,
    FIRST_ROW,
    HEADER_ROW,
    UPDATES,
    Row,
    Settings,
    place_row,
    updated,
    write_headers,
)

TITLE = "Learning rates"
RATES = (0.1, 0.2, 0.5, 0.8, 1.0, 2.0)
BLOCK_COLUMN = 17
"""Where the first rate's own calculation begins; the errors and their chart stand to the left."""
BLOCK_WIDTH = len(COLUMNS) + 2


def add_learning_rates(book: Book, settings: Settings) -> tuple[list[Cell], list[list[Row]]]:
    """Write the sheet; the six rates, and for each a row for the start and for each update."""
    sheet = book.sheet(
        TITLE,
        "The same network, learned with six learning rates",
        "Change a yellow rate; try 1000. All other inputs are those of the sheet Small network.",
        colour="#2F6DB5",
    )
    sheet.write(3, 0, "change me:")
    sheet.write(HEADER_ROW, 0, "update", "header")
    counts = sheet.number_rows(FIRST_ROW, UPDATES + 1)

    rates, runs, curves = [], [], {}
    for place, number in enumerate(RATES):
        sheet.write(2, 1 + place, f"rate {place + 1}", "header")
        rate = sheet.put(3, 1 + place, number, "input", name=f"rate_{place + 1}")
        block = BLOCK_COLUMN + place * BLOCK_WIDTH
        sheet.write(HEADER_ROW - 2, block, "learning rate", "heading")
        sheet.put(HEADER_ROW - 2, block + 2, rate, number_format=PLAIN)
        write_headers(sheet, HEADER_ROW, block)
        sheet.write(HEADER_ROW - 1, 1 + place, "E_total at", "header")
        label = sheet.put(HEADER_ROW, 1 + place, rate, number_format=PLAIN)
        weights: Sequence[Expression] = settings.weights
        rows, errors = [], []
        for update in range(UPDATES + 1):
            line = FIRST_ROW + update
            rows.append(place_row(sheet, line, block, settings, weights))
            errors.append(sheet.put(line, 1 + place, rows[-1]["E_total"], "answer"))
            weights = updated(rows[-1], rate)
        rates.append(rate)
        runs.append(rows)
        curves["=" + label.address] = errors
    sheet.place_chart(
        (FIRST_ROW, 7), (620, 380), ("error at six learning rates", "update", "E_total"), counts, curves
    )
    sheet.lay_out(frozen=(FIRST_ROW, 1), widths={"A:A": 10, "B:Q": 9.5, "R:HZ": 9.5})
    sheet.worksheet.print_area(0, 0, FIRST_ROW + UPDATES, BLOCK_COLUMN - 1)
    return rates, runs
