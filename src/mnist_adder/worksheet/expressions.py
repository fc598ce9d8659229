"""Formulas written once: each is the text for a spreadsheet and its value, built together.

A Python expression such as ``weight - rate * slope`` makes an :class:`Expression`: the spreadsheet calculates
its text, Python has calculated its value. So a formula and the value stored with it cannot disagree.
``book.py`` puts expressions into cells, which are expressions again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

# Precedence: operands of a lower one are put in brackets.
_COMPARISON, _SUM, _PRODUCT, _POWER, _ATOM = range(5)


@dataclass(frozen=True, slots=True)
class Expression:
    """A formula without its ``=``, and its value.

    Attributes:
        text: the formula; cells are named with their sheet; ``book.py`` leaves their own out.
        value: its result, a float, or a str if it is a word for the reader.
        binding: the precedence of the text's last operator.
    """

    text: str
    value: float | str
    binding: int = _ATOM

    @property
    def number(self) -> float:
        """The value, which must be a number."""
        assert isinstance(self.value, int | float), self.text
        return self.value

    def __add__(self, other: Expression | float) -> Expression:
        return _join(self, "+", other, _SUM, self.number + number_of(other))

    def __sub__(self, other: Expression | float) -> Expression:
        return _join(self, "-", other, _SUM, self.number - number_of(other))

    def __mul__(self, other: Expression | float) -> Expression:
        return _join(self, "*", other, _PRODUCT, self.number * number_of(other))

    def __truediv__(self, other: Expression | float) -> Expression:
        return _join(self, "/", other, _PRODUCT, self.number / number_of(other))

    def __neg__(self) -> Expression:
        # Spreadsheets differ in the precedence of a leading minus; here it is low, so that it gets brackets.
        text = self.text if self.binding == _ATOM else f"({self.text})"
        return Expression(f"-{text}", -self.number, _SUM)

    def __radd__(self, other: float) -> Expression:
        return constant(other) + self

    def __rsub__(self, other: float) -> Expression:
        return constant(other) - self

    def __rmul__(self, other: float) -> Expression:
        return constant(other) * self

    def __rtruediv__(self, other: float) -> Expression:
        return constant(other) / self

    def equals(self, other: Expression | float) -> Expression:
        """1 where both are the same, else 0; for use in :func:`where`."""
        return _join(self, "=", other, _COMPARISON, float(self.number == number_of(other)))


def number_of(content: Expression | float) -> float:
    """The value of a formula, or the number itself."""
    return content.number if isinstance(content, Expression) else content


def constant(number: float) -> Expression:
    """A number as a formula."""
    return Expression(f"{number:.15g}", number, _ATOM if number >= 0 else _SUM)


def _join(left: Expression, sign: str, right: Expression | float, binding: int, value: float) -> Expression:
    if not isinstance(right, Expression):
        right = constant(right)
    # a-(b-c) and a/(b*c) need their brackets, a+(b+c) and a*(b*c) keep them for the same order of rounding.
    before = f"({left.text})" if left.binding < binding else left.text
    after = f"({right.text})" if right.binding <= binding else right.text
    return Expression(before + sign + after, value, binding)


def exp(x: Expression) -> Expression:
    """Euler's number to the power of ``x``."""
    return Expression(f"EXP({x.text})", math.exp(x.number))


def ln(x: Expression) -> Expression:
    """The natural logarithm."""
    return Expression(f"LN({x.text})", math.log(x.number))


def sigmoid(x: Expression) -> Expression:
    """``1 / (1 + e^-x)``."""
    return 1 / (1 + exp(-x))


def square(x: Expression) -> Expression:
    """``x`` times itself."""
    text = x.text if x.binding == _ATOM else f"({x.text})"
    return Expression(f"{text}^2", x.number * x.number, _POWER)


def rounded(x: Expression) -> Expression:
    """To the nearest whole number, halves away from zero."""
    value = math.copysign(math.floor(abs(x.number) + 0.5), x.number)
    return Expression(f"ROUND({x.text},0)", value)


def total(terms: Sequence[Expression]) -> Expression:
    """The terms joined by ``+``, so that a reader sees each."""
    result = terms[0]
    for term in terms[1:]:
        result = result + term
    return result


def dot(left: Sequence[Expression], right: Sequence[Expression]) -> Expression:
    """The sum of the products of pairs, each written out."""
    return total([a * b for a, b in zip(left, right, strict=True)])


def where(condition: Expression, then: Expression | str, otherwise: Expression | str) -> Expression:
    """``IF``, with a formula or a word for either case."""
    chosen = then if condition.number else otherwise
    value = chosen.value if isinstance(chosen, Expression) else chosen
    texts = [part.text if isinstance(part, Expression) else f'"{part}"' for part in (then, otherwise)]
    return Expression(f"IF({condition.text},{texts[0]},{texts[1]})", value)
