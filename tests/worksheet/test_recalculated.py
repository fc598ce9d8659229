"""The worksheet calculated by LibreOffice from nothing but its formulas, against PyTorch's autograd."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import pytest
import torch
from tests.worksheet.conftest import Recalculate, Values, change_cells, values_of

from mnist_adder.models.argmax_regression import ArgmaxRegression
from mnist_adder.models.layers import add_distributions
from mnist_adder.worksheet import Worksheet, autograd
from mnist_adder.worksheet.book import Cell
from mnist_adder.worksheet.check import Sheets
from mnist_adder.worksheet.small_network import UPDATES, Row

TOLERANCE = 1e-9


@dataclass(frozen=True)
class Calculated:
    """A workbook after LibreOffice, read by the cells' meaning."""

    values: Values

    def word(self, cell: Cell) -> object:
        return self.values[cell.sheet][cell.row][cell.column]

    def number(self, cell: Cell) -> float:
        found = self.word(cell)
        assert isinstance(found, int | float), f"{cell.address} is {found!r}"
        return float(found)

    def numbers(self, cells: Sequence[Cell]) -> list[float]:
        return [self.number(cell) for cell in cells]


@pytest.fixture(scope="module")
def changes(uncalculated: Worksheet) -> dict[Cell, float]:
    sheets = uncalculated.sheets
    small = {"rate": 0.8, "w1": 0.7, "w7": -0.3, "b1": 0.35, "b2": 0.6}
    head = {sheets.head_rate: 0.001, sheets.head[0].parameters[3]: 0.5, sheets.head[2].digit: 9.0}
    exact = {sheets.exact["logits"][5]: -1.5, **dict(zip(sheets.exact["pair"], (8.0, 9.0), strict=True))}
    rates = {sheets.runs[5][0]: 3.0}
    return {sheets.inputs[name]: number for name, number in small.items()} | rates | head | exact


@pytest.fixture(scope="module")
def calculated(
    uncalculated: Worksheet, changes: dict[Cell, float], recalculate: Recalculate
) -> dict[str, Calculated]:
    even = dict.fromkeys(uncalculated.sheets.exact["number_probabilities"], 0.1)
    inputs = uncalculated.sheets.inputs
    biases = {inputs["b1"]: 0.35, inputs["b2"]: 0.60}
    ways = {"written": {}, "changed": changes, "even": even, "biases": biases}
    found = recalculate({name: change_cells(uncalculated.content, way) for name, way in ways.items()})
    return {name: Calculated(values) for name, values in found.items()}


@pytest.fixture(params=["written", "changed"])
def one(request: pytest.FixtureRequest, calculated: dict[str, Calculated]) -> Calculated:
    return calculated[request.param]


def assert_close(found: Sequence[float], expected: torch.Tensor, what: str) -> None:
    difference = (torch.tensor(found, dtype=torch.float64) - expected).abs().max().item()
    assert difference <= TOLERANCE, f"{what} is {difference} away"


def assert_network(one: Calculated, sheets: Sheets, rate: Cell, rows: Sequence[Row]) -> None:
    inputs = {name: one.number(cell) for name, cell in (sheets.inputs | {"rate": rate}).items()}
    for name, expected in autograd.small_network(inputs, UPDATES).items():
        assert_close(one.numbers([row[name] for row in rows]), expected, name)


def test_before_libreoffice_there_are_no_values(
    uncalculated: Worksheet, calculated: dict[str, Calculated]
) -> None:
    error = uncalculated.sheets.small[0]["E_total"]
    assert Calculated(values_of(uncalculated.content)).word(error) == 0
    assert calculated["written"].number(error) == pytest.approx(0.242519857, abs=5e-10)


def test_every_formula_comes_to_its_stored_value(
    worksheet: Worksheet, calculated: dict[str, Calculated]
) -> None:
    stored, count = values_of(worksheet.content), 0
    assert calculated["written"].values.keys() == stored.keys()
    for title, rows in calculated["written"].values.items():
        for line, (left, right) in enumerate(zip_longest(rows, stored[title], fillvalue=())):
            for column, (found, expected) in enumerate(zip_longest(left, right)):
                if isinstance(expected, int | float):
                    assert found == pytest.approx(expected, abs=TOLERANCE), (title, line, column)
                    count += 1
                else:
                    assert (found or "") == (expected or ""), (title, line, column)
    assert count > 55_000


def test_small_network(one: Calculated, uncalculated: Worksheet) -> None:
    sheets = uncalculated.sheets
    assert_network(one, sheets, sheets.inputs["rate"], sheets.small)


def test_the_variant_with_biases_has_its_known_errors(
    calculated: dict[str, Calculated], uncalculated: Worksheet
) -> None:
    first = [row["E_total"] for row in uncalculated.sheets.small[:2]]
    assert calculated["biases"].numbers(first) == pytest.approx([0.298371109, 0.291027774], abs=5e-10)


def test_learning_rates(one: Calculated, uncalculated: Worksheet) -> None:
    sheets = uncalculated.sheets
    for rate, rows in sheets.runs:
        assert_network(one, sheets, rate, rows)


def test_adder_head(one: Calculated, uncalculated: Worksheet) -> None:
    rows = uncalculated.sheets.head
    parameters, rate = one.numbers(rows[0].parameters), one.number(uncalculated.sheets.head_rate)
    digits, numbers = one.numbers([row.digit for row in rows]), one.numbers([row.number for row in rows])
    expected = autograd.adder_head(parameters, digits, numbers, rate)
    assert_close(one.numbers([row.answer for row in rows]), expected["answer"], "answer")
    assert_close(one.numbers([row.error for row in rows]), expected["error"], "error")
    for update, row in enumerate(rows):
        assert_close(one.numbers(row.parameters), expected["parameters"][update], f"parameters {update}")
        assert_close(one.numbers(row.slopes), expected["slopes"][update], f"slopes {update}")


def test_adder_head_over_all_pairs(one: Calculated, uncalculated: Worksheet) -> None:
    row = uncalculated.sheets.head[-1]
    head = ArgmaxRegression().head.double()
    torch.nn.utils.vector_to_parameters(
        torch.tensor(one.numbers(row.parameters), dtype=torch.float64), head.parameters()
    )
    pairs = torch.cartesian_prod(torch.arange(10.0), torch.arange(10.0)).double()
    with torch.no_grad():
        answers = head(pairs).squeeze(1)
    error = (answers - pairs.sum(1)).square().mean().item()
    assert one.number(row.mse) == pytest.approx(error, abs=TOLERANCE)
    right = (answers.round() == pairs.sum(1)).sum().item()
    words = [str(row[11]) for row in one.values[row.answer.sheet]]
    (line,) = (line for line, word in enumerate(words) if word.startswith("Down: the digit"))
    assert one.values[row.answer.sheet][line][21] == right


def test_exact_sum(one: Calculated, uncalculated: Worksheet) -> None:
    cells = uncalculated.sheets.exact
    digit, number = map(int, one.numbers(cells["pair"]))
    for name, expected in autograd.exact_sum(one.numbers(cells["logits"]), digit, number).items():
        assert_close(one.numbers(cells[name]), expected, name)


def test_exact_sum_of_a_number_that_is_a_distribution(
    calculated: dict[str, Calculated], uncalculated: Worksheet
) -> None:
    one, cells = calculated["even"], uncalculated.sheets.exact
    z = torch.tensor([one.numbers(cells["logits"])], dtype=torch.float64, requires_grad=True)
    scores = add_distributions(z.log_softmax(1), torch.full((1, 10), 0.1, dtype=torch.float64))
    loss = -scores[0, int(sum(one.numbers(cells["pair"])))]
    (slopes,) = torch.autograd.grad(loss, z)
    assert_close(one.numbers(cells["sum_probabilities"]), scores[0].exp().detach(), "P(sum)")
    assert one.number(cells["losses"][1]) == pytest.approx(loss.item(), abs=TOLERANCE)
    assert_close(one.numbers(cells["sum_slopes"]), slopes[0], "slopes")


def test_a_changed_input_moves_what_follows(
    calculated: dict[str, Calculated], uncalculated: Worksheet, changes: dict[Cell, float]
) -> None:
    sheets = uncalculated.sheets
    for cell in (sheets.small[-1]["E_total"], sheets.head[-1].answer, sheets.exact["slopes"][0]):
        assert abs(calculated["changed"].number(cell) - calculated["written"].number(cell)) > 1e-3
    for cell, number in changes.items():
        assert calculated["changed"].number(cell) == number


def test_checks_tell_a_changed_input_from_a_difference(calculated: dict[str, Calculated]) -> None:
    for name, verdicts in (("written", {"agrees"}), ("changed", {"inputs changed"})):
        column = [row[4] for row in calculated[name].values["Check"][5:]]
        assert {word for word in column if word} == verdicts
