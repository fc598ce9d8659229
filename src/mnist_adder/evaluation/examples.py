"""Pairs worth looking at: some as they come, and the mistakes the model was surest of.

A model, a dataset and its answers come in; Examples go out, which a run keeps so that reports need
neither the dataset nor the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from mnist_adder.data import MNISTAdder
from mnist_adder.evaluation.metrics import PairPredictions
from mnist_adder.models import Adder
from mnist_adder.types import NUMBERS

COUNT = 24
"""Samples, and at most as many mistakes."""


@dataclass(frozen=True, kw_only=True)
class Examples:
    """M pairs of the test split with what was answered; all tensors are on the CPU."""

    images: Tensor  # (M, 28, 28) uint8
    numbers: Tensor  # (M,) int64, 0..9
    digits: Tensor  # (M,) int64, the true ones
    digit_probabilities: Tensor  # (M, 10) float32
    sum_probabilities: Tensor  # (M, 19) float32

    def to_tensors(self, prefix: str) -> dict[str, Tensor]:
        """The five tensors under names with a prefix, for a file."""
        return {f"{prefix}{field.name}": getattr(self, field.name).contiguous() for field in fields(self)}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], prefix: str) -> Examples:
        """The examples back from :meth:`to_tensors`.

        Raises:
            KeyError: a tensor is missing.
        """
        return cls(**{field.name: tensors[f"{prefix}{field.name}"] for field in fields(cls)})


def pick_samples(model: Adder, dataset: MNISTAdder) -> Examples:
    """The split's first pairs of an image and a number, the numbers taking turns."""
    rows = torch.arange(min(COUNT, len(dataset.digits)))
    return _ask(model, dataset, rows, rows * 7 % NUMBERS)


def pick_mistakes(model: Adder, dataset: MNISTAdder, answers: PairPredictions) -> Examples:
    """The pairs that were answered wrong with the highest confidence, each image once, the surest first.

    A pair's confidence is that of the wrong answer, and of the surer one if both are wrong. Where an image
    is misread alike with several numbers, these take turns.
    """
    numbers = torch.arange(NUMBERS)
    truth = dataset.digits.cpu().unsqueeze(1)
    wrong_digit, wrong_sum = answers.digits.cpu() != truth, answers.sums.cpu() != truth + numbers
    confidence = torch.maximum(
        torch.where(wrong_digit, answers.digit_confidences.cpu(), -1.0),
        torch.where(wrong_sum, answers.sum_confidences.cpu(), -1.0),
    )
    surest = confidence.max(1).values
    rows = surest.argsort(descending=True, stable=True)[:COUNT]
    rows = rows[surest[rows] >= 0]
    as_sure = confidence[rows] > surest[rows].unsqueeze(1) - 1e-4
    turn = (
        numbers - 3 * torch.arange(len(rows)).unsqueeze(1)
    ) % NUMBERS  # (M, 10): 0 for the one whose turn it is
    return _ask(model, dataset, rows, turn.masked_fill(~as_sure, NUMBERS).argmin(1))


@torch.no_grad()
def _ask(model: Adder, dataset: MNISTAdder, rows: Tensor, numbers: Tensor) -> Examples:
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    images, digits = dataset.images[rows.to(dataset.device)], dataset.digits[rows.to(dataset.device)]
    outputs = model(images.to(device).float() / 255, numbers.to(device))
    sum_probabilities = model.sum_probabilities(outputs)
    model.train(was_training)
    return Examples(
        images=images.squeeze(1).cpu(),
        numbers=numbers.cpu(),
        digits=digits.cpu(),
        digit_probabilities=outputs.digit_logits.softmax(1).cpu(),
        sum_probabilities=sum_probabilities.cpu(),
    )
