"""The vocabulary of the task: an image and a number go in, a digit and a sum come out.

It imports nothing heavy, so that prediction and ``--help`` stay quick.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

SIDE = 28  # height and width of an image, in pixels
DIGITS = 10  # classes of the first output: 0..9
NUMBERS = 10  # values of the second input: 0..9
SUMS = DIGITS + NUMBERS - 1  # classes of the second output: 0..18
NO_DIGIT = -100  # the label of an image that shows none


class Batch(NamedTuple):
    """Pairs and their answers, B of them, all on one device."""

    images: Tensor  # (B, 1, 28, 28) float32 in [0, 1], ink bright on dark ground
    numbers: Tensor  # (B,) int64, 0..9
    digits: Tensor  # (B,) int64, 0..9, or NO_DIGIT
    sums: Tensor  # (B,) int64, 0..18 = digits + numbers


class Outputs(NamedTuple):
    """A model's outputs for B pairs."""

    digit_logits: Tensor  # (B, 10)
    sum_scores: Tensor  # (B, K): K and meaning are the model's own, see Adder.sum_probabilities


class Losses(NamedTuple):
    """The two losses of a batch, each a scalar."""

    digit: Tensor
    sum: Tensor


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """The answer to one pair."""

    digit: int
    number: int
    sum: int
    digit_probabilities: tuple[float, ...]  # 10, adding up to 1
    sum_probabilities: tuple[float, ...]  # 19, adding up to 1
    is_digit: bool  # False: the picture may show no digit, or several
    is_digit_probability: float | None  # None: the model was not taught to tell
    several: bool  # the picture seems to show several digits side by side
