"""The sheet of the exact sum: ten digit probabilities and a number, nineteen sum probabilities, and back.

Nothing comes in but the logits below; out go the sheet's cells for the checks. It is ``exact-sum``'s
``combine`` and both of its losses.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mnist_adder.types import DIGITS, SUMS
from mnist_adder.worksheet.book import Book, Cell, Sheet, over, span
from mnist_adder.worksheet.expressions import Expression, exp, ln, where
from mnist_adder.worksheet.look import WHOLE, Kind

TITLE = "Exact sum"
LOGITS = (0.2, -1.0, 0.5, 2.0, -0.5, 2.6, 0.3, -0.8, 1.4, 0.1)
DIGIT, NUMBER, LEARNING_RATE = 3, 4, 1.0
"""An image of a 3 that is first taken for a 5."""

ONE, NONE = Expression("1", 1.0), Expression("0", 0.0)


@dataclass(frozen=True, kw_only=True)
class ExactSum:
    """The cells that the checks compare; rows are by digit 0..9, or by sum 0..18."""

    logits: list[Cell]
    digit: Cell
    number: Cell
    number_probabilities: list[Cell]
    digit_probabilities: list[Cell]
    sum_probabilities: list[Cell]
    digit_loss: Cell
    sum_loss: Cell
    digit_slopes: list[Cell]
    sum_slopes: list[Cell]
    slopes: list[Cell]


def add_exact_sum(book: Book) -> ExactSum:
    """Write the sheet: forward, losses, backward, one update."""
    sheet = book.sheet(
        TITLE,
        "Not learned but computed: the sum's nineteen probabilities, and the way back",
        "P(sum = s) = Σ over d of P(digit = d) × P(number = s − d). Nothing to learn: a known number "
        "moves the digit's probabilities to the right.",
        colour="#3A8F4D",
    )
    digit, number, true, rate = _inputs(sheet)
    values = _header(sheet, 5, "Digit and number", DIGITS)
    z = _row(sheet, 6, "digit's logits z (change me)", [float(logit) for logit in LOGITS], "input")
    p = _softmax(sheet, 7, z, "P(digit)")
    q = _row(
        sheet,
        9,
        "P(number); may be overwritten",
        [where(value.equals(number), ONE, NONE) for value in values],
    )
    sums = _grid(sheet, 11, p, q)

    needed = _row(sheet, 24, "P(number = true sum − digit)", [_pick(q, true - value) for value in values])
    sheet.write(26, 0, "Losses: −ln of P(true digit), P(true sum)", "heading")
    sheet.write_all(26, 1, ("L_digit", "L_sum", "L, both"))
    digit_loss, sum_loss = _losses(sheet, 27, "before the update", p, needed, digit)

    by_digit, by_sum, slopes = _backward(sheet, p, needed, digit)
    _header(sheet, 37, "One update", DIGITS)
    down = [a - rate * slope for a, slope in zip(z, slopes, strict=True)]
    after = _softmax(sheet, 39, _row(sheet, 38, "z − rate × ∂L/∂z", down), "P(digit), updated")
    _losses(sheet, 28, "after it", after, needed, digit)
    sheet.lay_out(frozen=(5, 1), widths={"A:A": 36, "B:T": 9.5})
    return ExactSum(
        logits=z,
        digit=digit,
        number=number,
        number_probabilities=q,
        digit_probabilities=p,
        sum_probabilities=sums,
        digit_loss=digit_loss,
        sum_loss=sum_loss,
        digit_slopes=by_digit,
        sum_slopes=by_sum,
        slopes=slopes,
    )


def _inputs(sheet: Sheet) -> tuple[Cell, Cell, Cell, Cell]:
    """The digit, the number, their true sum, the learning rate."""
    sheet.write(3, 0, "change me:")
    sheet.write_all(2, 1, ("digit", "number", "true sum", "rate"))
    digit = sheet.put(3, 1, float(DIGIT), "input", name="digit", number_format=WHOLE)
    number = sheet.put(3, 2, float(NUMBER), "input", name="number", number_format=WHOLE)
    true = sheet.put(3, 3, digit + number, name="true_sum", number_format=WHOLE)
    rate = sheet.put(3, 4, LEARNING_RATE, "input", name="sum_learning_rate")
    return digit, number, true, rate


def _header(sheet: Sheet, line: int, heading: str, count: int) -> list[Cell]:
    """The values 0, 1, ... over their columns, as numbers that formulas compare with."""
    sheet.write(line, 0, heading, "heading")
    return [sheet.put(line, 1 + k, float(k), "header", number_format=WHOLE) for k in range(count)]


def _row(
    sheet: Sheet, line: int, label: str, formulas: Sequence[Expression | float], kind: Kind = "computed"
) -> list[Cell]:
    sheet.write(line, 0, label)
    return [sheet.put(line, 1 + k, formula, kind) for k, formula in enumerate(formulas)]


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
        for number, other in enumerate(q):
            at = digit + number
            columns[at].append(sheet.put(top + 1 + digit, 1 + at, chance * other, number_format="0.0000;;"))
    sums = _row(sheet, top + 11, "P(sum)", [over("SUM", column, sum) for column in columns], "answer")
    sheet.shade([columns[0][0], columns[-1][-1]])
    sheet.shade(sums)
    return sums


def _backward(
    sheet: Sheet, p: Sequence[Cell], needed: Sequence[Cell], digit: Cell
) -> tuple[list[Cell], list[Cell], list[Cell]]:
    """From both losses back to the logits: the digit's slopes, the sum's, and both together."""
    values = _header(sheet, 30, "Back to the digit's logits", DIGITS)
    hot = _row(sheet, 31, "1 at the true digit", [where(value.equals(digit), ONE, NONE) for value in values])
    by_digit = _row(
        sheet,
        32,
        "∂L_digit/∂z = P − 1 at the true one",
        [a - b for a, b in zip(p, hot, strict=True)],
        "gradient",
    )
    at_true = _dot(p, needed)
    by_p = _row(sheet, 33, "∂L_sum/∂P(digit)", [-(chance / at_true) for chance in needed], "gradient")
    mean = _dot(p, by_p)
    by_sum = _row(
        sheet,
        34,
        "∂L_sum/∂z, through the softmax",
        [a * (d - mean) for a, d in zip(p, by_p, strict=True)],
        "gradient",
    )
    slopes = _row(sheet, 35, "∂L/∂z", [a + b for a, b in zip(by_digit, by_sum, strict=True)], "gradient")

    return by_digit, by_sum, slopes


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
    sheet: Sheet, line: int, label: str, p: Sequence[Cell], needed: Sequence[Cell], digit: Expression
) -> tuple[Cell, Cell]:
    """The losses of the digit and of the sum, and both together."""
    sheet.write(line, 0, label)
    of_digit = sheet.put(line, 1, -ln(_pick(p, digit)), "answer")
    of_sum = sheet.put(line, 2, -ln(_dot(p, needed)), "answer")
    sheet.put(line, 3, of_digit + of_sum, "answer")
    return of_digit, of_sum
