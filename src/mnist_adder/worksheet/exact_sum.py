"""The sheet of the exact sum: ten digit probabilities and a number, nineteen sum probabilities, and back.

It is ``exact-sum``'s ``combine`` and both of its losses.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from mnist_adder.types import DIGITS, SUMS
from mnist_adder.worksheet.book import Book, Cell, Sheet, over, span
from mnist_adder.worksheet.expressions import Expression, exp, ln, where
from mnist_adder.worksheet.look import WHOLE, Kind

TITLE = "Exact sum"
LOGITS = (0.2, -1.0, 0.5, 2.0, -0.5, 2.6, 0.3, -0.8, 1.4, 0.1)
DIGIT, NUMBER, LEARNING_RATE = 3, 4, 1.0
"""An image of a 3 that is first taken for a 5."""

ONE, NONE = Expression("1", 1.0), Expression("0", 0.0)


def add_exact_sum(book: Book) -> dict[str, list[Cell]]:
    """Write the sheet: forward, losses, backward, one update.

    Returns:
        The inputs ``logits`` (by digit 0..9), ``pair`` (digit and number) and ``number_probabilities``, and
        what follows from them, by the names of :func:`mnist_adder.worksheet.autograd.exact_sum`.
    """
    sheet = book.sheet(
        TITLE,
        "Not learned but computed: the sum's nineteen probabilities, and the way back",
        "P(sum = s) = Σ over d of P(digit = d) × P(number = s − d). Nothing to learn: a known number "
        "moves the digit's probabilities to the right.",
        colour="#3A8F4D",
    )
    sheet.write(3, 0, "change me:")
    sheet.write_row(2, 1, ("digit", "number", "true sum", "rate"))
    digit = sheet.put(3, 1, float(DIGIT), "input", name="digit", number_format=WHOLE)
    number = sheet.put(3, 2, float(NUMBER), "input", name="number", number_format=WHOLE)
    true = sheet.put(3, 3, digit + number, name="true_sum", number_format=WHOLE)
    rate = sheet.put(3, 4, LEARNING_RATE, "input", name="sum_learning_rate")

    values = _header(sheet, 5, "Digit and number", DIGITS)
    z = _row(sheet, 6, "digit's logits z (change me)", LOGITS, "input")
    p = _softmax(sheet, 7, z, "P(digit)")
    at_number = [where(value.equals(number), ONE, NONE) for value in values]
    q = _row(sheet, 9, "P(number); may be overwritten", at_number)
    sums = _grid(sheet, 11, p, q)
    needed = _row(sheet, 24, "P(number = true sum − digit)", [_pick(q, true - value) for value in values])

    sheet.write(26, 0, "Losses: −ln of P(true digit), P(true sum)", "heading")
    sheet.write_row(26, 1, ("L_digit", "L_sum", "L, both"))
    losses = _losses(sheet, 27, "before the update", p, needed, digit)

    values = _header(sheet, 30, "Back to the digit's logits", DIGITS)
    hot = _row(sheet, 31, "1 at the true digit", [where(value.equals(digit), ONE, NONE) for value in values])
    by_digit = [a - b for a, b in zip(p, hot, strict=True)]
    digit_slopes = _row(sheet, 32, "∂L_digit/∂z = P − 1 at the true one", by_digit, "gradient")
    at_true = _dot(p, needed)
    by_p = _row(sheet, 33, "∂L_sum/∂P(digit)", [-(chance / at_true) for chance in needed], "gradient")
    mean = _dot(p, by_p)
    by_sum = [a * (d - mean) for a, d in zip(p, by_p, strict=True)]
    sum_slopes = _row(sheet, 34, "∂L_sum/∂z, through the softmax", by_sum, "gradient")
    both = [a + b for a, b in zip(digit_slopes, sum_slopes, strict=True)]
    slopes = _row(sheet, 35, "∂L/∂z", both, "gradient")

    _header(sheet, 37, "One update", DIGITS)
    down = [a - rate * slope for a, slope in zip(z, slopes, strict=True)]
    after = _softmax(sheet, 39, _row(sheet, 38, "z − rate × ∂L/∂z", down), "P(digit), updated")
    _losses(sheet, 28, "after it", after, needed, digit)
    sheet.lay_out(frozen=(5, 1), widths={"A:A": 36, "B:T": 9.5})
    return {
        "logits": z,
        "pair": [digit, number],
        "number_probabilities": q,
        "digit_probabilities": p,
        "sum_probabilities": sums,
        "losses": losses,
        "digit_slopes": digit_slopes,
        "sum_slopes": sum_slopes,
        "slopes": slopes,
    }


def _header(sheet: Sheet, line: int, heading: str, count: int) -> list[Cell]:
    """The values 0, 1, ... over their columns, as numbers that formulas compare with."""
    sheet.write(line, 0, heading, "heading")
    return sheet.put_row(line, 1, [float(k) for k in range(count)], "header", number_format=WHOLE)


def _row(
    sheet: Sheet, line: int, label: str, contents: Sequence[Expression | float], kind: Kind = "computed"
) -> list[Cell]:
    sheet.write(line, 0, label)
    return sheet.put_row(line, 1, contents, kind)


def _softmax(sheet: Sheet, line: int, logits: Sequence[Cell], label: str) -> list[Cell]:
    """Two rows: e^(z - the highest z), which cannot overflow, and its share of the whole."""
    highest = over("MAX", logits, max)
    powers = _row(sheet, line, "e^(z − the highest z)", [exp(logit - highest) for logit in logits])
    whole = over("SUM", powers, sum)
    shares = _row(sheet, line + 1, label, [power / whole for power in powers], "answer")
    sheet.shade(shares)
    return shares


def _grid(sheet: Sheet, top: int, p: Sequence[Cell], q: Sequence[Cell]) -> list[Cell]:
    """Every digit with every number, under the sum they make; the nineteen totals below."""
    _header(sheet, top, "P(digit) × P(number), by sum", SUMS)
    columns: list[list[Cell]] = [[] for _ in range(SUMS)]
    for digit, chance in enumerate(p):
        sheet.write(top + 1 + digit, 0, f"digit {digit}")
        products = [chance * other for other in q]
        for cell in sheet.put_row(top + 1 + digit, 1 + digit, products, number_format="0.0000;;"):
            columns[cell.column - 1].append(cell)
    sums = _row(sheet, top + 11, "P(sum)", [over("SUM", column, sum) for column in columns], "answer")
    sheet.shade([columns[0][0], columns[-1][-1]])
    sheet.shade(sums)
    return sums


def _pick(row: Sequence[Cell], place: Expression) -> Expression:
    """The cell at ``place``, counted from 0; 0 beside the row."""
    at = int(place.number)
    value = row[at].number if 0 <= at < len(row) else 0.0
    inside = f"AND({place.text}>=0,{place.text}<={len(row) - 1})"
    return Expression(f"IF({inside},INDEX({span(row)},{place.text}+1),0)", value)


def _dot(left: Sequence[Cell], right: Sequence[Cell]) -> Expression:
    value = math.fsum(a.number * b.number for a, b in zip(left, right, strict=True))
    return Expression(f"SUMPRODUCT({span(left)},{span(right)})", value)


def _losses(
    sheet: Sheet, line: int, label: str, p: Sequence[Cell], needed: Sequence[Cell], digit: Cell
) -> list[Cell]:
    """The losses of the digit and of the sum; their total stands beside them."""
    losses = _row(sheet, line, label, [-ln(_pick(p, digit)), -ln(_dot(p, needed))], "answer")
    sheet.put(line, 3, losses[0] + losses[1], "answer")
    return losses
