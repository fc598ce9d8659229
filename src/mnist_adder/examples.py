"""Pairs that a run keeps for its report: some samples, and the mistakes the model was most confident of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from mnist_adder.data.dataset import MNISTAdder
from mnist_adder.evaluation.metrics import PairPredictions
from mnist_adder.models import Adder
from mnist_adder.models.base import evaluation_mode
from mnist_adder.types import NUMBERS

_COUNT = 24  # samples, and at most as many mistakes


@dataclass(frozen=True, kw_only=True)
class Examples:
    """M pairs and what a model predicted for them; all tensors are on the CPU."""

    images: Tensor  # (M, 28, 28) uint8
    numbers: Tensor  # (M,) int64, 0..9
    digits: Tensor  # (M,) int64, the true ones
    digit_probabilities: Tensor  # (M, 10) float32
    sum_probabilities: Tensor  # (M, 19) float32

    def to_tensors(self, prefix: str) -> dict[str, Tensor]:
        """The five tensors, for a file, their names preceded by ``prefix``."""
        return {f"{prefix}{field.name}": getattr(self, field.name).contiguous() for field in fields(self)}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], prefix: str) -> Examples:
        """The examples back from :meth:`to_tensors`."""
        return cls(**{field.name: tensors[f"{prefix}{field.name}"] for field in fields(cls)})


def pick_samples(model: Adder, dataset: MNISTAdder) -> Examples:
    """The split's first images, each with another number."""
    rows = torch.arange(min(_COUNT, len(dataset.digits)))
    return _predict(model, dataset, rows, rows * 7 % NUMBERS)


def pick_mistakes(model: Adder, dataset: MNISTAdder, predictions: PairPredictions) -> Examples:
    """The wrong predictions, digits or sums, of the highest confidence first, each image once."""
    numbers, digits = torch.arange(NUMBERS), dataset.digits.cpu().unsqueeze(1)
    digit_wrong, sum_wrong = predictions.digits.cpu() != digits, predictions.sums.cpu() != digits + numbers
    confidences = torch.maximum(
        torch.where(digit_wrong, predictions.digit_confidences.cpu(), -1.0),
        torch.where(sum_wrong, predictions.sum_confidences.cpu(), -1.0),
    )  # (N, 10), -1 for a pair without a mistake
    highest = confidences.max(1).values
    rows = highest.argsort(descending=True, stable=True)[:_COUNT]
    rows = rows[highest[rows] >= 0]
    # An image is often misread with all ten numbers alike: then not all are shown with the number 0.
    varied = 3 * torch.arange(len(rows)) % NUMBERS
    alike = confidences[rows, varied] > highest[rows] - 1e-4
    return _predict(model, dataset, rows, torch.where(alike, varied, confidences[rows].argmax(1)))


@torch.no_grad()
def _predict(model: Adder, dataset: MNISTAdder, rows: Tensor, numbers: Tensor) -> Examples:
    device = next(model.parameters()).device
    images = dataset.images[rows.to(dataset.device)]
    with evaluation_mode(model):
        outputs = model(images.to(device).float() / 255, numbers.to(device))
        sum_probabilities = model.sum_probabilities(outputs)
    return Examples(
        images=images.squeeze(1).cpu(),
        numbers=numbers,
        digits=dataset.digits.cpu()[rows],
        digit_probabilities=outputs.digit_logits.softmax(1).cpu(),
        sum_probabilities=sum_probabilities.cpu(),
    )
