"""Figures of single pairs: samples, and the mistakes that were made most surely.

Examples come in; a Figure goes out, a grid of "image + number → digit, sum" with probabilities.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from mnist_adder.evaluation.examples import Examples
from mnist_adder.reports.style import (
    GRID,
    INK,
    LARGE,
    MUTED,
    SMALL,
    TILE,
    VERMILLION,
    WIDTH,
    place_axes,
    probability,
    styled,
)
from mnist_adder.types import SIDE

COLUMNS = 4
_CARD = (2.225, 0.84)  # width and height with the room to the next one, inches
_SIDE = 0.6  # of the image


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One pair, its answer and the truth."""

    image: NDArray[np.uint8]  # (28, 28)
    number: int
    digit: int  # the true one
    said_digit: int
    said_sum: int
    digit_probability: float  # of the digit answered
    sum_probability: float

    @property
    def digit_right(self) -> bool:
        """Whether the digit answered is the true one."""
        return self.said_digit == self.digit

    @property
    def sum_right(self) -> bool:
        """Whether the sum answered is the true one."""
        return self.said_sum == self.digit + self.number

    @property
    def contradicts(self) -> bool:
        """Whether the sum answered is not the digit answered plus the number."""
        return self.said_sum != self.said_digit + self.number


def pairs(examples: Examples) -> list[Pair]:
    """The examples one by one; an answer is the most probable digit or sum."""
    return [
        Pair(
            image=image.numpy(),
            number=int(number),
            digit=int(digit),
            said_digit=int(digits.argmax()),
            said_sum=int(sums.argmax()),
            digit_probability=float(digits.max()),
            sum_probability=float(sums.max()),
        )
        for image, number, digit, digits, sums in zip(
            examples.images,
            examples.numbers,
            examples.digits,
            examples.digit_probabilities,
            examples.sum_probabilities,
            strict=True,
        )
    ]


@styled
def samples(examples: Examples) -> Figure:
    """Some pairs as they come and what was answered, each answer with its probability."""
    return _grid(pairs(examples), "There are no samples.")


@styled
def mistakes(examples: Examples) -> Figure:
    """The mistakes of which the model was surest, with the truth, and whether digit and sum contradict."""
    return _grid(pairs(examples), "No mistakes: every test pair was answered right.")


def _grid(shown: list[Pair], otherwise: str) -> Figure:
    if not shown:
        figure = Figure((WIDTH, 0.6))
        figure.text(0.02, 0.5, otherwise, size=LARGE, va="center")
        return figure
    rows = -(-len(shown) // COLUMNS)
    height = rows * _CARD[1] + 0.1
    figure = Figure((WIDTH, height))
    axes = place_axes(figure, 0, 0, WIDTH, height)
    axes.set(xlim=(0, WIDTH), ylim=(height, 0), autoscale_on=False)
    axes.set_axis_off()
    for place, pair in enumerate(shown):
        row, column = divmod(place, COLUMNS)
        _draw_pair(axes, pair, 0.05 + column * _CARD[0], 0.05 + row * _CARD[1])
    return figure


def _draw_pair(axes: Axes, pair: Pair, x: float, y: float) -> None:
    """A card, its upper left corner at (x, y): the image to the left, what was answered to the right."""
    wrong = not (pair.digit_right and pair.sum_right)
    edge: dict[str, Any] = {"edgecolor": GRID, "linewidth": 0.8}
    if wrong:
        edge = {"edgecolor": VERMILLION, "linewidth": 1.6}
    axes.add_patch(Rectangle((x + 0.02, y + 0.02), _CARD[0] - 0.1, _CARD[1] - 0.1, facecolor="none", **edge))
    _draw_image(axes, pair.image, x + 0.07, y + 0.09)
    axes.text(x + 0.91, y + 0.23, f"+ {pair.number} →", ha="center", va="center", size=LARGE)
    digit, total = f"{pair.said_digit},", f"{pair.said_sum}"
    _draw_answer(axes, x + 1.41, y, digit, pair.digit_probability, right=pair.digit_right)
    _draw_answer(axes, x + 1.89, y, total, pair.sum_probability, right=pair.sum_right)
    told = "✓ right"
    if wrong:
        told = f"truth: {pair.digit}, {pair.digit + pair.number}"
        if pair.contradicts:
            told += f"; {pair.said_digit} + {pair.number} ≠ {pair.said_sum}"
    axes.text(x + 0.73, y + 0.635, told, ha="left", va="center", size=SMALL, color=INK if wrong else MUTED)


def _draw_answer(axes: Axes, x: float, y: float, said: str, how_sure: float, *, right: bool) -> None:
    """An answer above its probability; a wrong one is told by its cross and weight as well as its colour."""
    style: dict[str, Any] = {"color": INK} if right else {"color": VERMILLION, "weight": "bold"}
    text = said if right else f"✗\u2009{said}"
    axes.text(x, y + 0.23, text, ha="center", va="center", size=LARGE + 2, **style)
    axes.text(x, y + 0.44, probability(how_sure), ha="center", va="center", size=SMALL - 0.5, color=MUTED)


def _draw_image(axes: Axes, image: NDArray[np.uint8], x: float, y: float) -> None:
    """Dark ink on a light tile: the ink is black and as opaque as the pixel is bright."""
    ink = np.zeros((SIDE, SIDE, 4), dtype=np.uint8)
    ink[..., 3] = image
    axes.add_patch(Rectangle((x, y), _SIDE, _SIDE, facecolor=TILE, edgecolor="none"))
    axes.imshow(ink, extent=(x, x + _SIDE, y + _SIDE, y), interpolation="none", aspect="auto", zorder=2)
