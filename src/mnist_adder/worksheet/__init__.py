"""Backpropagation as a live spreadsheet: every number that can be a formula is one.

Nothing comes in; an .xlsx file goes out. ``build.py`` puts the sheets together; ``expressions.py`` and
``book.py`` are what they are written with. Next is the reader.
"""

from mnist_adder.worksheet.build import Worksheet, build_worksheet

__all__ = ["Worksheet", "build_worksheet"]
