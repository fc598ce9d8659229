"""The sheet of ``argmax-regression``'s head: the 2-5-5-1 linear layers learn to add, a row an update.

Nothing comes in but the pairs and the random start below; out go the sheet's rows for the checks. The chart,
the addition table and the line ``u, v, c`` show what the hundred-odd columns come to.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from xlsxwriter.utility import xl_rowcol_to_cell

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
TABLE_ROW = FIRST_ROW + 19
ROW_COLUMN = 23

Matrix = Sequence[Sequence[Expression]]


@dataclass(frozen=True, kw_only=True)
class HeadRow:
    """One update's cells that the checks compare.

    Attributes:
        digit: the pair's digit.
        number: the pair's number.
        answer: the head's sum for the pair, before the update.
        error: its squared error.
        parameters: 51, layer by layer, weights row by row and then biases, as torch lists them.
        slopes: the 51 partial derivatives of the error.
    """

    digit: Cell
    number: Cell
    answer: Cell
    error: Cell
    parameters: list[Cell]
    slopes: list[Cell]


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
        found += [
            f"{prefix}W{layer}[{to},{start}]"
            for to in range(1, outputs + 1)
            for start in range(1, inputs + 1)
        ]
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


class _Line:
    """Cells of a row, each put to the right of the last."""

    def __init__(self, sheet: Sheet, line: int, column: int) -> None:
        self.sheet, self.line, self.column = sheet, line, column

    def put(self, formulas: Sequence[Expression | float], kind: Kind = "computed") -> list[Cell]:
        cells = [
            self.sheet.put(self.line, self.column + k, formula, kind) for k, formula in enumerate(formulas)
        ]
        self.column += len(cells)
        return cells


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
    parameters: Sequence[Expression | float] = initial_parameters()
    counts = sheet.number_rows(FIRST_ROW, UPDATES)
    rows: list[HeadRow] = []
    lines: list[Sequence[Cell]] = []
    for update in range(UPDATES):
        line = FIRST_ROW + update
        kind: Kind = "input" if update == 0 else "computed"
        row, whole = _add_row(sheet, line, update, parameters, kind)
        rows.append(row)
        lines.append(whole)
        parameters = [value - rate * slope for value, slope in zip(row.parameters, row.slopes, strict=True)]
    sheet.place_chart(
        (FIRST_ROW, 11),
        (640, 340),
        ("mean squared error over all hundred pairs", "update", "MSE"),
        counts,
        {"MSE": [whole[3] for whole in lines]},
        logarithmic=True,
    )
    _add_table(sheet, lines)
    sheet.lay_out(
        frozen=(FIRST_ROW, 1), widths={"A:A": 10, "B:G": 9, "H:K": 10, "L:V": 8, "W:W": 3, "X:FZ": 9.5}
    )
    sheet.worksheet.print_area(0, 0, FIRST_ROW + UPDATES - 1, ROW_COLUMN - 1)
    return rate, rows


def _write_headers(sheet: Sheet) -> None:
    left = ("update", "digit", "number", "sum", "answer", "rounded", "error²", "u", "v", "c", "MSE")
    sheet.write_all(HEADER_ROW, 0, left)
    for column, heading in ((4, "this pair"), (7, "the whole head as one line"), (10, "all 100 pairs")):
        sheet.write(HEADER_ROW - 1, column, heading, "heading")
    five = range(1, 6)
    groups = (
        ("parameters", names()),
        ("forward", [f"h1[{k}]" for k in five] + [f"h2[{k}]" for k in five]),
        ("backward", ["∂/∂answer", *(f"∂/∂h2[{k}]" for k in five), *(f"∂/∂h1[{k}]" for k in five)]),
        ("partial derivatives of the error²", names("∂/∂")),
        ("W3·W2, for u, v, c", [f"m[{k}]" for k in five]),
    )
    column = ROW_COLUMN
    for group, headings in groups:
        sheet.write(HEADER_ROW - 1, column, group, "heading")
        sheet.write_all(HEADER_ROW, column, headings)
        column += len(headings)


def _add_row(
    sheet: Sheet, line: int, update: int, start: Sequence[Expression | float], kind: Kind
) -> tuple[HeadRow, tuple[Cell, Cell, Cell, Cell]]:
    """One pair forward and backward; its row, and u, v, c and the error over all pairs."""
    digit = sheet.put(line, 1, float(DIGITS[update]), "input", number_format=WHOLE)
    number = sheet.put(line, 2, float(NUMBERS[update]), "input", number_format=WHOLE)
    true = sheet.put(line, 3, digit + number, number_format=WHOLE)

    cells = _Line(sheet, line, ROW_COLUMN)
    parameters = cells.put(start, kind)
    (w1, b1), (w2, b2), (w3, b3) = split(parameters)
    x = (digit, number)
    h1 = cells.put([dot(row, x) + bias for row, bias in zip(w1, b1, strict=True)])
    h2 = cells.put([dot(row, h1) + bias for row, bias in zip(w2, b2, strict=True)])
    answer = sheet.put(line, 4, dot(w3[0], h2) + b3[0], "answer")
    sheet.put(line, 5, rounded(answer), "answer", number_format=WHOLE)
    error = sheet.put(line, 6, square(answer - true), "answer")

    (d_answer,) = cells.put([2 * (answer - true)], "gradient")
    d_h2 = cells.put([d_answer * weight for weight in w3[0]], "gradient")
    d_h1 = cells.put([dot([row[k] for row in w2], d_h2) for k in range(5)], "gradient")
    slopes: list[Expression] = [d * value for d in d_h1 for value in x] + list(d_h1)
    slopes += [d * value for d in d_h2 for value in h1] + list(d_h2)
    slopes += [d_answer * value for value in h2] + [d_answer]
    row = HeadRow(
        digit=digit,
        number=number,
        answer=answer,
        error=error,
        parameters=parameters,
        slopes=cells.put(slopes, "gradient"),
    )

    m = cells.put([dot(w3[0], [row[k] for row in w2]) for k in range(5)])
    u = sheet.put(line, 7, dot(m, [row[0] for row in w1]))
    v = sheet.put(line, 8, dot(m, [row[1] for row in w1]))
    c = sheet.put(line, 9, total([dot(m, b1), dot(w3[0], b2), b3[0]]))
    # Over 0..9 the mean is 4.5 and the mean square 28.5; so the mean over all pairs needs no hundred cells.
    du, dv = u - 1, v - 1
    mean = 28.5 * (square(du) + square(dv)) + 40.5 * du * dv + 9 * c * (du + dv) + square(c)
    return row, (u, v, c, sheet.put(line, 10, mean, "answer"))


def _add_table(sheet: Sheet, lines: Sequence[Sequence[Cell]]) -> None:
    """The addition table as the head answers it before any update the learner asks for."""
    sheet.write(TABLE_ROW, 11, "The addition table as it is before update ... (change me)", "heading")
    shown = sheet.put(TABLE_ROW, 18, float(UPDATES - 1), "input", name="shown_update", number_format=WHOLE)
    line = []
    for place, symbol in enumerate(("u", "v", "c")):
        column = [whole[place] for whole in lines]
        looked_up = Expression(f"INDEX({span(column)},{shown.text}+1)", column[int(shown.number)].value)
        sheet.write(TABLE_ROW + 1, 11 + 2 * place, f"{symbol} =")
        line.append(sheet.put(TABLE_ROW + 1, 12 + 2 * place, looked_up))

    top, left = TABLE_ROW + 3, 11
    across = [sheet.put(top, left + 1 + n, float(n), "header", number_format=WHOLE) for n in range(10)]
    down = [sheet.put(top + 1 + d, left, float(d), "reference", number_format=WHOLE) for d in range(10)]
    answers = []
    for digit in down:
        for number in across:
            answer = line[0] * digit + line[1] * number + line[2]
            answers.append(sheet.put(digit.row, number.column, answer, "answer", number_format="0.00"))
    right = Expression(
        f"SUMPRODUCT((ROUND({span(answers)},0)={span(down)}+{span(across)})*1)",
        float(sum(rounded(cell).number == cell.row - top - 1 + cell.column - left - 1 for cell in answers)),
    )
    sheet.write(
        top - 1, left, "Down: the digit; across: the number. Red rounds to a wrong sum. Right, of 100:"
    )
    sheet.put(top - 1, left + 10, right, "answer", number_format=WHOLE)
    corner = xl_rowcol_to_cell(top + 1, left + 1)
    sheet.flag(answers, f"=ROUND({corner},0)<>$L{top + 2}+M${top + 1}")
