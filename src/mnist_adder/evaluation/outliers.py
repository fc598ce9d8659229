"""How well a model tells digits from other characters, by the probability that an image shows a digit."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mnist_adder.models import Adder
from mnist_adder.models.base import evaluation_mode

_IMAGES_AT_ONCE = 500
KEPT = 0.98  # of the digits, where the passing characters are counted independently of a threshold
THRESHOLD = 0.05
"""The least probability of a digit, for all runs; docs/dev/log.md says why it is not chosen for each."""


@dataclass(frozen=True, kw_only=True)
class OutlierMetrics:
    """Fractions of held-out digits and of other characters."""

    digits: int
    others: int
    auroc: float  # how often a digit has a higher probability than another character
    passing_at_98: float  # of the others, where 98 % of the digits are kept
    kept: float  # of the digits, at the run's threshold
    passing: float  # of the others, at the run's threshold


@torch.no_grad()
def is_digit_probabilities(model: Adder, images: Tensor) -> Tensor:
    """The probability that each image, (N, 28, 28) uint8, shows a digit: (N,) float32, on the CPU."""
    device = next(model.parameters()).device
    answers = []
    with evaluation_mode(model):
        for chunk in images.split(_IMAGES_AT_ONCE):
            pixels = chunk.to(device).unsqueeze(1).float() / 255
            numbers = torch.zeros(len(chunk), dtype=torch.int64, device=device)
            answers.append(model.is_digit_probability(model.combine(model.encode(pixels), numbers)).cpu())
    return torch.cat(answers)


def compute_outlier_metrics(digits: Tensor, others: Tensor, threshold: float) -> OutlierMetrics:
    """Count over the probabilities of held-out digits (N,) and of other characters (M,)."""
    return OutlierMetrics(
        digits=len(digits),
        others=len(others),
        auroc=float((digits.unsqueeze(1) > others).float().mean()),  # of all N M pairs
        passing_at_98=float((others > digits.quantile(1 - KEPT)).float().mean()),
        kept=float((digits >= threshold).float().mean()),
        passing=float((others >= threshold).float().mean()),
    )
