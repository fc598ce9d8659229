"""Backpropagation as a live spreadsheet: every number that can be a formula is one."""

from mnist_adder.worksheet.build import Worksheet, build_worksheet

__all__ = ["Worksheet", "build_worksheet"]
