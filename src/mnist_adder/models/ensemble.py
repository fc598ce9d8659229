"""An ensemble: trained networks of one model that answer by the mean of their probabilities."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mnist_adder.models.base import Adder
from mnist_adder.types import SIDE, Losses, Outputs

STILL = ((0, 0),)  # no shift
SHIFTS = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))  # of test-time augmentation, in pixels (x, y)


class Ensemble(Adder):
    """The mean of the members' digit probabilities, and of their sum probabilities, for each shift.

    It is an Adder itself, so that evaluation, export and prediction need not know. Shifts of the image, in
    pixels (x, y), make each member answer several times: test-time augmentation.
    """

    def __init__(self, members: Sequence[Adder], shifts: Sequence[tuple[int, int]] = STILL) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.shifts = tuple(shifts)

    def encode(self, images: Tensor) -> Tensor:
        """The features of each member for each shift V, one after the other: (B, V M F)."""
        views = _moved(images, self.shifts)
        return torch.cat([member.encode(view) for view in views for member in self._each()], 1)

    def combine(self, features: Tensor, numbers: Tensor) -> Outputs:
        """Digit logits (B, 10), also for the mean of is_digit_probability; sum probabilities (B, 19)."""
        digits, sums, is_digit = [], [], []
        asked = self._each() * len(self.shifts)
        for member, part in zip(asked, features.chunk(len(asked), 1), strict=True):
            outputs = member.combine(part, numbers)
            digits.append(outputs.digit_logits.softmax(1))
            sums.append(member.sum_probabilities(outputs))
            is_digit.append(member.is_digit_probability(outputs))
        limit = torch.finfo(torch.float32).eps  # keeps the logit finite
        log_sum_exp = _mean(is_digit).clamp(limit, 1 - limit).logit().unsqueeze(1)
        return Outputs(_log(_mean(digits)) + log_sum_exp, _mean(sums))

    def losses(self, outputs: Outputs, digits: Tensor, sums: Tensor) -> Losses:
        """Negative log-likelihoods, for evaluation alone."""
        digit = F.cross_entropy(outputs.digit_logits, digits)
        return Losses(digit, F.nll_loss(_log(outputs.sum_scores), sums))

    def sum_probabilities(self, outputs: Outputs) -> Tensor:
        return outputs.sum_scores

    def _each(self) -> list[Adder]:
        return [member for member in self.members if isinstance(member, Adder)]


def _moved(images: Tensor, shifts: Sequence[tuple[int, int]]) -> list[Tensor]:
    """The images (B, 1, 28, 28) moved by each shift; what comes in at the borders is 0."""
    margin = max(abs(pixels) for shift in shifts for pixels in shift)
    if margin == 0:
        return [images] * len(shifts)
    padded = F.pad(images, (margin,) * 4)
    starts = [(margin - y, margin - x) for x, y in shifts]
    return [padded[..., top : top + SIDE, left : left + SIDE] for top, left in starts]


def _mean(values: Sequence[Tensor]) -> Tensor:
    return sum(values[1:], values[0]) / len(values)


def _log(probabilities: Tensor) -> Tensor:
    """Logarithms that stay finite where float32 has run out of small numbers."""
    return probabilities.clamp_min(torch.finfo(torch.float32).tiny).log()
