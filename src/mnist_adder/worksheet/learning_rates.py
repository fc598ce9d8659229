"""The sheet of six learning rates: the small network six times, side by side, and one chart of the errors."""

from __future__ import annotations

from mnist_adder.worksheet.book import Book, Cell
from mnist_adder.worksheet.look import PLAIN
from mnist_adder.worksheet.small_network import (
    COLUMNS,
    FIRST_ROW,
    HEADER_ROW,
    UPDATES,
    Row,
    place_rows,
    write_headers,
)

TITLE = "Learning rates"
RATES = (0.1, 0.2, 0.5, 0.8, 1.0, 2.0)
BLOCK_COLUMN = 17
"""The first column of the first rate's calculation; the errors and their chart are to the left."""
BLOCK_WIDTH = len(COLUMNS) + 2


def add_learning_rates(book: Book, inputs: Row) -> list[tuple[Cell, list[Row]]]:
    """Write the sheet, from the small network's inputs; each rate, and its row for the start and each update.

    A weight that is changed in the small network changes all six.
    """
    sheet = book.sheet(
        TITLE,
        "The same network, learned with six learning rates",
        "Change a yellow rate; try 1000. All other inputs are those of the sheet Small network.",
        colour="#2F6DB5",
    )
    sheet.write(3, 0, "change me:")
    sheet.write(HEADER_ROW, 0, "update", "header")
    counts = sheet.number_rows(FIRST_ROW, UPDATES + 1)
    runs, curves = [], {}
    for column, number in enumerate(RATES, 1):
        sheet.write(2, column, f"rate {column}", "header")
        rate = sheet.put(3, column, number, "input", name=f"rate_{column}")
        sheet.write(HEADER_ROW - 1, column, "E_total at", "header")
        label = sheet.put(HEADER_ROW, column, rate, number_format=PLAIN)
        block = BLOCK_COLUMN + (column - 1) * BLOCK_WIDTH
        sheet.write(HEADER_ROW - 2, block, "learning rate", "heading")
        sheet.put(HEADER_ROW - 2, block + 2, rate, number_format=PLAIN)
        write_headers(sheet, HEADER_ROW, block)
        rows, errors = place_rows(sheet, block, inputs, rate, error_column=column)
        runs.append((rate, rows))
        curves["=" + label.address] = errors
    sheet.place_chart(
        (FIRST_ROW, 7), (620, 380), ("error at six learning rates", "update", "E_total"), counts, curves
    )
    sheet.lay_out(frozen=(FIRST_ROW, 1), widths={"A:A": 10, "B:Q": 9.5, "R:HZ": 9.5})
    sheet.worksheet.print_area(0, 0, FIRST_ROW + UPDATES, BLOCK_COLUMN - 1)
    return runs
