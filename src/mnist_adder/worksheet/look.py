"""What cells look like: the colours and their meaning, fonts, number formats."""

from __future__ import annotations

from typing import Any, Literal

Kind = Literal[
    "title", "heading", "text", "note", "math", "header",
    "input", "computed", "gradient", "answer", "check", "reference",
]  # fmt: skip

INK, RULE, BLUE, GREY, RED = "#1F2933", "#C9D1D9", "#2F6DB5", "#7B8794", "#F4B6B6"
COLOURS = {
    "input": "#FFF2CC",
    "computed": "#E8F1FA",
    "gradient": "#FBE4D9",
    "answer": "#DDF0DD",
    "check": "#ECE6F4",
}
LEGEND: tuple[tuple[Kind, str], ...] = (
    ("input", "an input: change it"),
    ("computed", "computed on the way forward, and weights that follow from it"),
    ("gradient", "a partial derivative, computed on the way back"),
    ("answer", "what comes out: errors, answers, probabilities"),
    ("check", "the difference from PyTorch's autograd"),
)

PLAIN, FINE, WHOLE, TINY = "0.00####", "0.000000", "0", "0.0E+00"
"""Number formats: as typed, six decimals, whole numbers, differences near zero."""

_OF_KIND: dict[Kind, dict[str, Any]] = {
    "title": {"font_size": 15, "bold": True},
    "heading": {"bold": True, "font_color": BLUE},
    "note": {"indent": 1},
    "math": {"font_name": "Cambria", "font_size": 11},
    "header": {"bold": True, "bottom": 2, "align": "center"},
    "input": {"bold": True, "font_color": "#0B4F9E"},
    "reference": {"font_color": GREY},
}


def look_of(kind: Kind, number_format: str) -> dict[str, Any]:
    """XlsxWriter's properties of a cell."""
    look = {"font_name": "Calibri", "font_size": 10, "font_color": INK, "valign": "vcenter"}
    if kind in COLOURS:
        look |= {"bg_color": COLOURS[kind], "border": 1, "border_color": RULE}
    if number_format:
        look["num_format"] = number_format
    return look | _OF_KIND.get(kind, {})
