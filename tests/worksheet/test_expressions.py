"""Formulas as Python expressions: brackets, order, and values."""

from __future__ import annotations

import pytest

from mnist_adder.worksheet.expressions import (
    Expression,
    constant,
    dot,
    exp,
    ln,
    rounded,
    sigmoid,
    square,
    where,
)

A, B, C = Expression("A1", 2.0), Expression("B1", 3.0), Expression("C1", 0.5)


@pytest.mark.parametrize(
    ("formula", "text", "value"),
    [
        (A + B * C, "A1+B1*C1", 3.5),
        ((A + B) * C, "(A1+B1)*C1", 2.5),
        (A - (B - C), "A1-(B1-C1)", -0.5),
        (A - B - C, "A1-B1-C1", -1.5),
        (A / (B * C), "A1/(B1*C1)", 4 / 3),
        (1 / (1 - A), "1/(1-A1)", -1.0),
        (-A * B, "(-A1)*B1", -6.0),
        (A - -B, "A1-(-B1)", 5.0),
        (square(-A), "(-A1)^2", 4.0),
        (-square(A), "-(A1^2)", -4.0),
        (A * square(B - C), "A1*(B1-C1)^2", 12.5),
        (A + -3, "A1+(-3)", -1.0),
        (exp(C) * ln(A), "EXP(C1)*LN(A1)", 1.1428065),
        (sigmoid(A - B), "1/(1+EXP(-(A1-B1)))", 0.26894142),
        (dot([A, B], [B, C]), "A1*B1+B1*C1", 7.5),
        (where(A.equals(2), B, C), "IF(A1=2,B1,C1)", 3.0),
        (where(A.equals(B), "yes", "no"), 'IF(A1=B1,"yes","no")', "no"),
    ],
)
def test_text_and_value(formula: Expression, text: str, value: float | str) -> None:
    assert formula.text == text
    assert formula.value == (pytest.approx(value, abs=1e-7) if isinstance(value, float) else value)


@pytest.mark.parametrize(("x", "whole"), [(0.5, 1), (1.5, 2), (2.5, 3), (-0.5, -1), (-1.2, -1), (7.49, 7)])
def test_halves_are_rounded_as_spreadsheets_do(x: float, whole: int) -> None:
    assert rounded(constant(x)).value == whole
