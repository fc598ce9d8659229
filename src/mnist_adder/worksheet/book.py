"""A workbook of cells whose formulas carry their values: :class:`Book`, :class:`Sheet`, :class:`Cell`."""

from __future__ import annotations

import datetime
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import xlsxwriter
from xlsxwriter.utility import xl_range_formula, xl_rowcol_to_cell

from mnist_adder.worksheet.expressions import Expression
from mnist_adder.worksheet.look import BLUE, FINE, LEGEND, PLAIN, RED, RULE, WHOLE, Kind, look_of

# A fixed date, so that the same worksheet is the same file, byte for byte.
_CREATED = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC).replace(tzinfo=None)


@dataclass(frozen=True, slots=True)
class Cell(Expression):
    """A cell, to be used in formulas: its text is its address or its name.

    Attributes:
        sheet: the title of its sheet.
        row: 0 is the first.
        column: 0 is A.
        formula: what stands in it, with ``=``; empty for a number.
    """

    sheet: str = ""
    row: int = 0
    column: int = 0
    formula: str = ""

    @property
    def place(self) -> str:
        """Such as ``B8``."""
        place: str = xl_rowcol_to_cell(self.row, self.column)
        return place

    @property
    def address(self) -> str:
        """Such as ``'Small network'!B8``."""
        return f"'{self.sheet}'!{self.place}"


class Book:
    """A workbook in memory.

    Args:
        cached: whether each formula is stored with its value, for viewers that do not calculate. If not,
            every formula is 0 until a program calculates it: tests use that.
    """

    def __init__(self, *, cached: bool = True) -> None:
        self.cached = cached
        self._bytes = io.BytesIO()
        self.workbook = xlsxwriter.Workbook(self._bytes, {"in_memory": True})
        self.workbook.set_properties({"title": "Backpropagation one can touch", "created": _CREATED})
        self._formats: dict[tuple[Kind, str], Any] = {}

    def sheet(
        self, title: str, heading: str, explanation: str, *, colour: str = RULE, number_format: str = FINE
    ) -> Sheet:
        """Add a sheet.

        Args:
            title: as its tab shows it.
            heading: its first line.
            explanation: its second line.
            colour: of its tab.
            number_format: of its numbers, unless a cell has its own.
        """
        worksheet = self.workbook.add_worksheet(title)
        worksheet.set_tab_color(colour)
        worksheet.hide_gridlines(2)
        sheet = Sheet(self, worksheet, title, number_format)
        sheet.write(0, 0, heading, "title")
        sheet.write(1, 0, explanation)
        return sheet

    def format(self, kind: Kind, number_format: str) -> Any:
        """The look of a kind of cell."""
        if (kind, number_format) not in self._formats:
            self._formats[kind, number_format] = self.workbook.add_format(look_of(kind, number_format))
        return self._formats[kind, number_format]

    def to_bytes(self) -> bytes:
        """Finish the workbook; nothing can be added afterwards."""
        self.workbook.close()
        return self._bytes.getvalue()


class Sheet:
    """One sheet; rows and columns count from 0."""

    def __init__(self, book: Book, worksheet: Any, title: str, number_format: str) -> None:
        self.book, self.worksheet, self.title, self._number_format = book, worksheet, title, number_format

    def write(self, row: int, column: int, text: str, kind: Kind = "text") -> None:
        """Write words."""
        self.worksheet.write_string(row, column, text, self.book.format(kind, ""))

    def write_row(self, row: int, column: int, texts: Sequence[str], kind: Kind = "header") -> None:
        """Write words side by side."""
        for place, text in enumerate(texts):
            self.write(row, column + place, text, kind)

    def write_groups(self, row: int, column: int, groups: Mapping[str, Sequence[str]]) -> None:
        """Write the headings of columns, and above the first of each group its name."""
        for group, headings in groups.items():
            self.write(row - 1, column, group, "heading")
            self.write_row(row, column, headings)
            column += len(headings)

    def put(
        self,
        row: int,
        column: int,
        content: Expression | float,
        kind: Kind = "computed",
        *,
        name: str = "",
        number_format: str = "",
    ) -> Cell:
        """Write a formula or a number; returns the cell, for use in further formulas.

        A cell with a name is called by it in the formulas of every sheet.
        """
        look = self.book.format(kind, number_format or (PLAIN if kind == "input" else self._number_format))
        if isinstance(content, Expression):
            value, formula = content.value, "=" + content.text.replace(f"'{self.title}'!", "")
            self.worksheet.write_formula(row, column, formula, look, value if self.book.cached else 0)
        else:
            value, formula = content, ""
            self.worksheet.write_number(row, column, content, look)
        if name:
            self.book.workbook.define_name(name, "=" + xl_range_formula(self.title, row, column, row, column))
        text = name or f"'{self.title}'!{xl_rowcol_to_cell(row, column)}"
        return Cell(text, value, sheet=self.title, row=row, column=column, formula=formula)

    def put_row(
        self,
        row: int,
        column: int,
        contents: Sequence[Expression | float],
        kind: Kind = "computed",
        *,
        number_format: str = "",
    ) -> list[Cell]:
        """Write formulas or numbers side by side."""
        return [
            self.put(row, column + place, content, kind, number_format=number_format)
            for place, content in enumerate(contents)
        ]

    def number_rows(self, first: int, count: int) -> list[Cell]:
        """Number ``count`` updates from 0 in the first column, from the row ``first`` on."""
        cells = [self.put(first, 0, 0.0, "reference", number_format=WHOLE)]
        while len(cells) < count:
            cells.append(self.put(first + len(cells), 0, cells[-1] + 1, number_format=WHOLE))
        return cells

    def explain_colours(self, row: int, column: int) -> None:
        """Write what the colours of cells mean."""
        self.write(row, column, "Colours", "heading")
        for line, (kind, meaning) in enumerate(LEGEND, row + 1):
            self.write(line, column, "0.123", kind)
            self.write(line, column + 1, meaning, "note")

    def place_chart(
        self,
        place: tuple[int, int],
        size: tuple[int, int],
        titles: tuple[str, str, str],
        across: Sequence[Cell],
        curves: Mapping[str, Sequence[Cell]],
        *,
        logarithmic: bool = False,
    ) -> None:
        """Draw columns of cells as lines.

        Args:
            place: row and column of the upper left corner.
            size: width and height in pixels.
            titles: of the chart, of the axis across, of the axis upwards.
            across: the cells of the axis across, from the first to the last.
            curves: the cells of each line by its name; a name ``=SHEET!A1`` is read from that cell.
            logarithmic: the axis upwards in powers of ten.
        """
        chart = self.book.workbook.add_chart({"type": "scatter", "subtype": "straight"})
        for name, cells in curves.items():
            chart.add_series(
                {
                    "name": name,
                    "categories": [self.title, *_corners(across)],
                    "values": [self.title, *_corners(cells)],
                    "line": {"width": 1.75},
                }
            )
        chart.set_title({"name": titles[0], "name_font": {"size": 11}})
        chart.set_x_axis(
            {"name": titles[1], "min": 0, "max": across[-1].number, "major_gridlines": {"visible": False}}
        )
        chart.set_y_axis(
            {
                "name": titles[2],
                "num_format": "General",
                "major_gridlines": {"visible": True, "line": {"color": RULE}},
                **({"log_base": 10, "crossing": "min"} if logarithmic else {"min": 0}),
            }
        )
        chart.set_legend({"position": "bottom"} if len(curves) > 1 else {"none": True})
        chart.set_size({"width": size[0], "height": size[1]})
        self.worksheet.insert_chart(*place, chart, {"object_position": 3})

    def flag(self, cells: Sequence[Cell], condition: str) -> None:
        """Colour the cells of a rectangle red where a formula, written for the first of them, is true."""
        red = self.book.workbook.add_format({"bg_color": RED})
        rule = {"type": "formula", "criteria": condition, "format": red}
        self.worksheet.conditional_format(*_corners(cells), rule)

    def shade(self, cells: Sequence[Cell]) -> None:
        """Fill a rectangle of probabilities: the higher, the darker."""
        scale = {"type": "2_color_scale", "min_color": "#FFFFFF", "max_color": BLUE}
        ends = {"min_type": "num", "min_value": 0, "max_type": "num", "max_value": 1}
        self.worksheet.conditional_format(*_corners(cells), scale | ends)

    def lay_out(
        self, *, frozen: tuple[int, int], pages_wide: int = 1, widths: dict[str, float] | None = None
    ) -> None:
        """Set the widths of columns, what stays in view, and printing: landscape A4, headers on each page."""
        sheet = self.worksheet
        for columns, width in (widths or {}).items():
            sheet.set_column(columns, width)
        sheet.freeze_panes(*frozen)
        sheet.set_landscape()
        sheet.set_paper(9)
        sheet.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.6)
        sheet.fit_to_pages(pages_wide, 0)
        if frozen[0]:
            sheet.repeat_rows(0, frozen[0] - 1)
        if frozen[1]:
            sheet.repeat_columns(0, frozen[1] - 1)
        sheet.set_footer("&L&A&R&P / &N")


def _corners(cells: Sequence[Cell]) -> tuple[int, int, int, int]:
    """Row and column of the first cell, and of the last."""
    return cells[0].row, cells[0].column, cells[-1].row, cells[-1].column


def span(cells: Sequence[Cell]) -> str:
    """The rectangle from the first cell to the last, as formulas name it."""
    return f"{cells[0].address}:{cells[-1].place}"


def over(function: str, cells: Sequence[Cell], calculate: Callable[[list[float]], float]) -> Expression:
    """A function of a rectangle of cells: ``over("SUM", cells, math.fsum)``."""
    return Expression(f"{function}({span(cells)})", calculate([cell.number for cell in cells]))
