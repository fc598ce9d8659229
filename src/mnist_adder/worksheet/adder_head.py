"""The sheet of ``argmax-regression``'s head: the 2-5-5-1 linear layers learn to add, a row an update.

The chart, the addition table and the line ``u, v, c`` sum up its hundred-odd columns.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from mnist_adder.worksheet.book import Book, Cell, Sheet, span
from mnist_adder.worksheet.expressions import Expression, dot, rounded, square, total
from mnist_adder.worksheet.look import WHOLE, Kind

TITLE = "Adder head"
UPDATES = 200
LEARNING_RATE = 0.002
# The labels of the first 200 training images of MNIST, in the file's order, and a number drawn for each.
DIGITS = "50419213143536172869409112432738690560761879398593307498094144604561001716302117902678390467468078315717116302931104920020271864163459133854774285867346199603728294464970929515912323591762822507497832"  # fmt: skip  # noqa: E501
NUMBERS = "72943648375689348581372836056712565535665936330304859691593375235792469557225391120273531343794786631444294817336283550986113082391823792212919890918285014020199393372754773697692324632570150386039787"  # fmt: skip  # noqa: E501
LAYERS = ((5, 2), (5, 5), (1, 5))
"""Outputs and inputs of the three layers, as in the model."""

HEADER_ROW, FIRST_ROW = 6, 7
TABLE_ROW, TABLE_COLUMN = FIRST_ROW + 19, 11
PARAMETERS = 23
FORWARD = PARAMETERS + sum(outputs * (inputs + 1) for outputs, inputs in LAYERS)
BACKWARD = FORWARD + 10
SLOPES = BACKWARD + 11
PRODUCT = SLOPES + FORWARD - PARAMETERS
"""Where the groups of columns begin, to the right of chart and table."""

Matrix = Sequence[Sequence[Expression]]


@dataclass(frozen=True, kw_only=True)
class HeadRow:
    """The cells of one update; all but the pair are as they are before it."""

    digit: Cell
    number: Cell
    answer: Cell  # the head's sum for the pair
    error: Cell  # squared
    line: list[Cell]  # u, v, c: the whole head as one line
    mse: Cell  # the mean squared error over all hundred pairs
    parameters: list[Cell]  # 51, layer by layer, weights row by row and then biases, as torch lists them
    slopes: list[Cell]  # the 51 partial derivatives of the error


def initial_parameters() -> list[float]:
    """51 numbers, uniform within 1 / sqrt(inputs) as torch starts a linear layer; always the same.

    Of starts drawn this way some can add after 200 updates, as this one; others need more.
    """
    chance, numbers = random.Random(4), []
    for outputs, inputs in LAYERS:
        bound = 1 / math.sqrt(inputs)
        numbers += [round(chance.uniform(-bound, bound), 3) for _ in range(outputs * inputs + outputs)]
    return numbers


def names(prefix: str = "") -> list[str]:
    """What the 51 parameters are called: ``W2[3,1]`` is from the first to the third, in the second layer."""
    found = []
    for layer, (outputs, inputs) in enumerate(LAYERS, 1):
        ends = [(to, start) for to in range(1, outputs + 1) for start in range(1, inputs + 1)]
        found += [f"{prefix}W{layer}[{to},{start}]" for to, start in ends]
        found += [f"{prefix}b{layer}[{to}]" for to in range(1, outputs + 1)]
    return found


def split(parameters: Sequence[Expression]) -> list[tuple[Matrix, Sequence[Expression]]]:
    """The weights and biases of each layer, out of the 51."""
    layers: list[tuple[Matrix, Sequence[Expression]]] = []
    at = 0
    for outputs, inputs in LAYERS:
        weights = [parameters[at + to * inputs : at + (to + 1) * inputs] for to in range(outputs)]
        at += outputs * inputs
        layers.append((weights, parameters[at : at + outputs]))
        at += outputs
    return layers


def add_adder_head(book: Book) -> tuple[Cell, list[HeadRow]]:
    """Write the sheet; the learning rate, and a row for each update's pair."""
    sheet = book.sheet(
        TITLE,
        "Three linear layers (2-5-5-1) learn to add a digit and a number: one pair a row",
        "The head of argmax-regression. Linear layers on top of each other are one: "
        "answer = u × digit + v × number + c. It can add once u = 1, v = 1, c = 0.",
        colour="#C2571A",
    )
    sheet.write(3, 0, "change me:")
    sheet.write(2, 1, "rate", "header")
    rate = sheet.put(3, 1, LEARNING_RATE, "input", name="adder_learning_rate")
    sheet.write(4, 0, "The first row's parameters and all digits and numbers are yellow too. Try 0.006.")
    _write_headers(sheet)
    counts = sheet.number_rows(FIRST_ROW, UPDATES)
    parameters: Sequence[Expression | float] = initial_parameters()
    rows: list[HeadRow] = []
    for update in range(UPDATES):
        row = _place_row(sheet, update, parameters, "input" if update == 0 else "computed")
        rows.append(row)
        parameters = [value - rate * slope for value, slope in zip(row.parameters, row.slopes, strict=True)]
    sheet.place_chart(
        (FIRST_ROW, TABLE_COLUMN),
        (640, 340),
        ("mean squared error over all hundred pairs", "update", "MSE"),
        counts,
        {"MSE": [row.mse for row in rows]},
        logarithmic=True,
    )
    _add_table(sheet, rows)
    sheet.lay_out(
        frozen=(FIRST_ROW, 1), widths={"A:A": 10, "B:G": 9, "H:K": 10, "L:V": 8, "W:W": 3, "X:FZ": 9.5}
    )
    sheet.worksheet.print_area(0, 0, FIRST_ROW + UPDATES - 1, PARAMETERS - 1)
    return rate, rows


def _write_headers(sheet: Sheet) -> None:
    five = range(1, 6)
    sheet.write_row(HEADER_ROW, 0, ("update", "digit", "number", "sum"))
    sheet.write_groups(
        HEADER_ROW,
        4,
        {
            "this pair": ("answer", "rounded", "error²"),
            "the whole head as one line": ("u", "v", "c"),
            "all 100 pairs": ("MSE",),
        },
    )
    sheet.write_groups(
        HEADER_ROW,
        PARAMETERS,
        {
            "parameters": names(),
            "forward": [f"{layer}[{k}]" for layer in ("h1", "h2") for k in five],
            "backward": ["∂/∂answer", *(f"∂/∂{layer}[{k}]" for layer in ("h2", "h1") for k in five)],
            "partial derivatives of the error²": names("∂/∂"),
            "W3·W2, for u, v, c": [f"m[{k}]" for k in five],
        },
    )


def _place_row(sheet: Sheet, update: int, start: Sequence[Expression | float], kind: Kind) -> HeadRow:
    """One pair forward and backward, from the parameters before the update."""
    line = FIRST_ROW + update
    digit = sheet.put(line, 1, float(DIGITS[update]), "input", number_format=WHOLE)
    number = sheet.put(line, 2, float(NUMBERS[update]), "input", number_format=WHOLE)
    true = sheet.put(line, 3, digit + number, number_format=WHOLE)

    parameters = sheet.put_row(line, PARAMETERS, start, kind)
    (w1, b1), (w2, b2), (w3, b3) = split(parameters)
    x = (digit, number)
    h1 = sheet.put_row(line, FORWARD, [dot(row, x) + bias for row, bias in zip(w1, b1, strict=True)])
    h2 = sheet.put_row(line, FORWARD + 5, [dot(row, h1) + bias for row, bias in zip(w2, b2, strict=True)])
    answer = sheet.put(line, 4, dot(w3[0], h2) + b3[0], "answer")
    sheet.put(line, 5, rounded(answer), "answer", number_format=WHOLE)
    error = sheet.put(line, 6, square(answer - true), "answer")

    d_answer = sheet.put(line, BACKWARD, 2 * (answer - true), "gradient")
    d_h2 = sheet.put_row(line, BACKWARD + 1, [d_answer * weight for weight in w3[0]], "gradient")
    by_h1 = [dot([row[k] for row in w2], d_h2) for k in range(5)]
    d_h1 = sheet.put_row(line, BACKWARD + 6, by_h1, "gradient")
    slopes: list[Expression] = [d * value for d in d_h1 for value in x] + list(d_h1)
    slopes += [d * value for d in d_h2 for value in h1] + list(d_h2)
    slopes += [d_answer * value for value in h2] + [d_answer]

    m = sheet.put_row(line, PRODUCT, [dot(w3[0], [row[k] for row in w2]) for k in range(5)])
    weights = [dot(m, [row[k] for row in w1]) for k in (0, 1)]
    u, v, c = sheet.put_row(line, 7, [*weights, total([dot(m, b1), dot(w3[0], b2), b3[0]])])
    # Over 0..9 the mean is 4.5 and the mean square 28.5; so the mean over all pairs needs no hundred cells.
    du, dv = u - 1, v - 1
    mean = 28.5 * (square(du) + square(dv)) + 40.5 * du * dv + 9 * c * (du + dv) + square(c)
    return HeadRow(
        digit=digit,
        number=number,
        answer=answer,
        error=error,
        line=[u, v, c],
        mse=sheet.put(line, 10, mean, "answer"),
        parameters=parameters,
        slopes=sheet.put_row(line, SLOPES, slopes, "gradient"),
    )


def _add_table(sheet: Sheet, rows: Sequence[HeadRow]) -> None:
    """The head's addition table before an update that the reader chooses."""
    top, left = TABLE_ROW, TABLE_COLUMN
    sheet.write(top, left, "The addition table as it is before update ... (change me)", "heading")
    shown = sheet.put(top, left + 7, float(UPDATES - 1), "input", name="shown_update", number_format=WHOLE)
    line = []
    for place, symbol in enumerate(("u", "v", "c")):
        column = [row.line[place] for row in rows]
        looked_up = Expression(f"INDEX({span(column)},{shown.text}+1)", column[int(shown.number)].value)
        sheet.write(top + 1, left + 2 * place, f"{symbol} =")
        line.append(sheet.put(top + 1, left + 1 + 2 * place, looked_up))
    sheet.write(
        top + 2, left, "Down: the digit; across: the number. Red rounds to a wrong sum. Right, of 100:"
    )
    values = [float(value) for value in range(10)]
    across = sheet.put_row(top + 3, left + 1, values, "header", number_format=WHOLE)
    down, answers = [], []
    for value in range(10):
        digit = sheet.put(top + 4 + value, left, float(value), "reference", number_format=WHOLE)
        sums = [line[0] * digit + line[1] * number + line[2] for number in across]
        answers += sheet.put_row(top + 4 + value, left + 1, sums, "answer", number_format="0.00")
        down.append(digit)
    true = [digit.number + number.number for digit in down for number in across]
    right = sum(rounded(answer).number == wanted for answer, wanted in zip(answers, true, strict=True))
    counted = f"SUMPRODUCT((ROUND({span(answers)},0)={span(down)}+{span(across)})*1)"
    sheet.put(top + 2, left + 10, Expression(counted, float(right)), "answer", number_format=WHOLE)
    sheet.flag(answers, f"=ROUND({answers[0].place},0)<>${down[0].place}+{across[0].place[0]}${top + 4}")
