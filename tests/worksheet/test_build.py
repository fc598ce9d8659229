"""The written file: its stored values, known numbers, names and layout."""

from __future__ import annotations

import io
from collections.abc import Callable

import openpyxl
import pytest
from tests.worksheet.conftest import values_of

from mnist_adder.worksheet import Worksheet, adder_head, build_worksheet, start
from mnist_adder.worksheet.book import Cell
from mnist_adder.worksheet.look import COLOURS


@pytest.fixture(scope="module")
def stored(worksheet: Worksheet) -> Callable[[Cell], object]:
    values = values_of(worksheet.content)
    return lambda cell: values[cell.sheet][cell.row][cell.column]


@pytest.fixture(scope="module")
def formulas(worksheet: Worksheet) -> openpyxl.Workbook:
    return openpyxl.load_workbook(io.BytesIO(worksheet.content))


def test_a_viewer_that_does_not_calculate_shows_the_known_numbers(
    worksheet: Worksheet, stored: Callable[[Cell], object]
) -> None:
    small = worksheet.sheets.small
    assert stored(small[0]["E_total"]) == pytest.approx(0.242519857, abs=5e-10)
    assert stored(small[1]["E_total"]) == pytest.approx(0.235495378, abs=5e-10)
    ends = [stored(rows[100]["E_total"]) for _, rows in worksheet.sheets.runs]
    assert ends == pytest.approx([0.133511, 0.079166, 0.029167, 0.016387, 0.012395, 0.005160], abs=5e-7)


def test_it_differs_from_autograd_by_rounding_alone(worksheet: Worksheet) -> None:
    assert 0 < worksheet.difference.number < 1e-11


def test_the_head_has_learned_to_add(worksheet: Worksheet) -> None:
    answers = [(row.answer.number, row.digit.number + row.number.number) for row in worksheet.sheets.head]
    assert [round(answer) == true for answer, true in answers[:5]] == [False] * 5
    assert all(round(answer) == true for answer, true in answers[100:])


def test_the_pairs_begin_with_the_labels_of_mnist() -> None:
    assert adder_head.DIGITS.startswith("5041921314353617")
    assert len(adder_head.DIGITS) == len(adder_head.NUMBERS) == adder_head.UPDATES


def test_every_computed_number_is_a_formula(formulas: openpyxl.Workbook) -> None:
    colours = {f"FF{COLOURS[kind][1:]}" for kind in ("computed", "gradient", "answer", "check")}
    count = 0
    for sheet in formulas:
        for row in sheet.iter_rows():
            for cell in row:
                if cell.fill.fgColor.rgb in colours and cell.value != "0.123":  # the legend's
                    assert isinstance(cell.value, str), (sheet.title, cell.coordinate)
                    assert cell.value.startswith("="), (sheet.title, cell.coordinate)
                    count += 1
    assert count > 50_000


def test_names_lead_to_their_cells(formulas: openpyxl.Workbook) -> None:
    named = {name: defined.attr_text for name, defined in formulas.defined_names.items()}
    assert named["learning_rate"] == "'Small network'!$B$4"
    expected = {"w_1", "w_8", "i_1", "t_2", "b_1", "rate_6", "adder_learning_rate", "digit", "number"}
    assert expected <= named.keys()


def test_every_sheet_has_frozen_headers_and_prints_sideways(formulas: openpyxl.Workbook) -> None:
    assert formulas.sheetnames == [start.TITLE, *(title for title, _ in start.SHEETS)]
    for sheet in formulas:
        assert sheet.freeze_panes, sheet.title
        assert sheet.page_setup.orientation == "landscape"
        assert sheet.sheet_properties.pageSetUpPr.fitToPage
        assert sheet.column_dimensions["A"].width > 5


def test_charts_and_the_drawing(formulas: openpyxl.Workbook) -> None:
    titles = ("Small network", "Learning rates", "Adder head")
    assert [len(formulas[title]._charts) for title in titles] == [1, 1, 1]
    assert len(formulas["Learning rates"]._charts[0].series) == 6
    assert len(formulas["Derivation"]._images) == 1


def test_each_error_uses_its_own_output_and_w7_its_own_activation(worksheet: Worksheet) -> None:
    row = worksheet.sheets.small[0]
    own = {name: cell.place for name, cell in row.items()}
    assert row["E2"].formula == f"=0.5*({own['t2']}-{own['a_o2']})^2"
    assert row["dw7"].formula == f"=({own['a_o2']}-{own['t2']})*{own['a_o2']}*(1-{own['a_o2']})*{own['a_h1']}"


def test_the_same_file_each_time(worksheet: Worksheet) -> None:
    assert build_worksheet().content == worksheet.content
