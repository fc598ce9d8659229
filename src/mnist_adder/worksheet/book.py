"""A workbook of cells whose formulas carry their values: :class:`Book`, :class:`Sheet`, :class:`Cell`.

Expressions come in, the bytes of an .xlsx file go out. The sheets' own files (``small_network.py`` and the
others) say what stands where.
"""

from __future__ import annotations

import datetime
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import xlsxwriter
from xlsxwriter.utility import xl_rowcol_to_cell

from mnist_adder.worksheet.expressions import Expression
from mnist_adder.worksheet.look import BLUE, FINE, PLAIN, RULE, WHOLE, Kind, look_of

# A fixed date, so that the same worksheet is the same file, byte for byte.
_CREATED = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC).replace(tzinfo=None)


@dataclass(frozen=True, slots=True)
class Cell(Expression):
    """A cell as it is used in formulas: its address or its name, and its value.

    Attributes:
        sheet: the title of its sheet.
        row: 0 is the first.
        column: 0 is A.
        formula: what stands in it, with ``=``; empty for an input.
    """

    sheet: str = ""
    row: int = 0
    column: int = 0
    formula: str = ""

    @property
    def address(self) -> str:
        """Such as ``'Small network'!B8``."""
        return f"'{self.sheet}'!{xl_rowcol_to_cell(self.row, self.column)}"


class Book:
    """A workbook in memory.

    Args:
        cached: whether each formula is stored with its value, for viewers that do not calculate. Without it
            every formula reads 0 until a program has calculated it: tests use that.
    """

    def __init__(self, *, cached: bool = True) -> None:
        self.cached = cached
        self.inputs: list[Cell] = []
        """Every number a learner may change, in the order written."""
        self._bytes = io.BytesIO()
        self._workbook = xlsxwriter.Workbook(self._bytes, {"in_memory": True})
        self._workbook.set_properties({"title": "Backpropagation one can touch", "created": _CREATED})
        self._formats: dict[tuple[Kind, str], Any] = {}
        self.warning = self._workbook.add_format({"bg_color": "#F4B6B6"})

    def sheet(
        self, title: str, heading: str, explanation: str, *, colour: str = RULE, number_format: str = FINE
    ) -> Sheet:
        """Add a sheet.

        Args:
            title: as its tab shows it.
            heading: its first line.
            explanation: its second line.
            colour: of its tab.
            number_format: of its numbers where nothing else is said.
        """
        worksheet = self._workbook.add_worksheet(title)
        worksheet.set_tab_color(colour)
        worksheet.hide_gridlines(2)
        sheet = Sheet(self, worksheet, title, number_format)
        sheet.write(0, 0, heading, "title")
        sheet.write(1, 0, explanation)
        return sheet

    def chart(self, options: dict[str, Any]) -> Any:
        """A chart for :meth:`Sheet.place_chart`."""
        return self._workbook.add_chart(options)

    def define(self, name: str, cell: Cell) -> None:
        """Give a cell a name that formulas of every sheet can use."""
        absolute = xl_rowcol_to_cell(cell.row, cell.column, row_abs=True, col_abs=True)
        self._workbook.define_name(name, f"='{cell.sheet}'!{absolute}")

    def format(self, kind: Kind, number_format: str) -> Any:
        """The look of a kind of cell."""
        if (kind, number_format) not in self._formats:
            self._formats[kind, number_format] = self._workbook.add_format(look_of(kind, number_format))
        return self._formats[kind, number_format]

    def to_bytes(self) -> bytes:
        """Finish the workbook; nothing can be added afterwards."""
        self._workbook.close()
        return self._bytes.getvalue()


class Sheet:
    """One sheet; rows and columns count from 0."""

    def __init__(self, book: Book, worksheet: Any, title: str, number_format: str) -> None:
        self.book, self.worksheet, self.title, self._number_format = book, worksheet, title, number_format

    def write(self, row: int, column: int, text: str, kind: Kind = "text") -> None:
        """Write words."""
        self.worksheet.write_string(row, column, text, self.book.format(kind, ""))

    def link(self, row: int, column: int, title: str) -> None:
        """A link to another sheet."""
        self.worksheet.write_url(row, column, f"internal:'{title}'!A1", string=title)

    def write_all(self, row: int, column: int, texts: Sequence[str], kind: Kind = "header") -> None:
        """Write words side by side."""
        for place, text in enumerate(texts):
            self.write(row, column + place, text, kind)

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
        """Write a formula or a number; what comes back stands for the cell in further formulas."""
        look = self.book.format(kind, number_format or (PLAIN if kind == "input" else self._number_format))
        text = name or f"'{self.title}'!{xl_rowcol_to_cell(row, column)}"
        if isinstance(content, Expression):
            formula = "=" + content.text.replace(f"'{self.title}'!", "")
            stored = {"value": content.value} if self.book.cached else {}
            self.worksheet.write_formula(row, column, formula, look, **stored)
            cell = Cell(text, content.value, sheet=self.title, row=row, column=column, formula=formula)
        else:
            self.worksheet.write_number(row, column, content, look)
            cell = Cell(text, content, sheet=self.title, row=row, column=column)
        if kind == "input":
            self.book.inputs.append(cell)
        if name:
            self.book.define(name, cell)
        return cell

    def number_rows(self, first: int, count: int) -> list[Cell]:
        """The updates 0, 1, ... in the first column, from the row ``first`` on."""
        cells = [self.put(first, 0, 0.0, "reference", number_format=WHOLE)]
        while len(cells) < count:
            cells.append(self.put(first + len(cells), 0, cells[-1] + 1, number_format=WHOLE))
        return cells

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
        chart = self.book.chart({"type": "scatter", "subtype": "straight"})
        for name, cells in curves.items():
            chart.add_series(
                {"name": name, "categories": _span(across), "values": _span(cells), "line": {"width": 1.75}}
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
        """Redden the cells of a rectangle where a formula, written for the first of them, is true."""
        self.worksheet.conditional_format(
            *_span(cells)[1:], {"type": "formula", "criteria": condition, "format": self.book.warning}
        )

    def shade(self, cells: Sequence[Cell]) -> None:
        """Fill a rectangle of probabilities the darker the higher they are."""
        scale = {
            "type": "2_color_scale",
            "min_type": "num",
            "min_value": 0,
            "max_type": "num",
            "max_value": 1,
        }
        colours = {"min_color": "#FFFFFF", "max_color": BLUE}
        self.worksheet.conditional_format(*_span(cells)[1:], scale | colours)

    def place_picture(self, place: tuple[int, int], png: bytes, scale: float, description: str) -> None:
        """Insert a picture; the description is for those who cannot see it."""
        options = {
            "image_data": io.BytesIO(png),
            "x_scale": scale,
            "y_scale": scale,
            "description": description,
        }
        self.worksheet.insert_image(*place, "picture.png", options)

    def lay_out(
        self, *, frozen: tuple[int, int], pages_wide: int = 1, widths: dict[str, float] | None = None
    ) -> None:
        """Widths of columns, what stays in sight, and how it prints: landscape A4, headers on every page."""
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


def span(cells: Sequence[Cell]) -> str:
    """The rectangle from the first cell to the last, as formulas name it."""
    return f"{cells[0].address}:{xl_rowcol_to_cell(cells[-1].row, cells[-1].column)}"


def _span(cells: Sequence[Cell]) -> list[Any]:
    return [cells[0].sheet, cells[0].row, cells[0].column, cells[-1].row, cells[-1].column]


def over(function: str, cells: Sequence[Cell], calculate: Callable[[list[float]], float]) -> Expression:
    """A function of a rectangle of cells: ``over("SUM", cells, math.fsum)``."""
    return Expression(f"{function}({span(cells)})", calculate([cell.number for cell in cells]))
