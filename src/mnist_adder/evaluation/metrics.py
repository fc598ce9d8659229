"""Asking a design about images with all ten numbers, and counting how often it is right.

Images and their digits come in, Answers go out of ``ask``, Metrics out of ``measure``. Training uses
both after every epoch, ``evaluate`` on the test images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from mnist_adder.designs import Adder
from mnist_adder.task import DIGITS, NUMBERS, SUMS


class Answers(NamedTuple):
    """What a design answered to N images, each with the numbers 0..9: row i, column n is one pair."""

    digits: Tensor  # (N, 10) int64, the digit answered
    sums: Tensor  # (N, 10) int64, the sum answered
    digit_losses: Tensor  # () float32, total of the digit's loss over the 10 N pairs
    sum_losses: Tensor  # () float32, total of the sum's loss


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """Counts over all pairs. Accuracies and the like are fractions of pairs unless they say otherwise."""

    pairs: int
    digit_accuracy: float
    sum_accuracy: float
    joint_accuracy: float  # both right on the same pair
    mean_accuracy: float  # (digit + sum) / 2, as some published solutions score
    product_accuracy: float  # digit * sum, as others do
    digit_consistency: float  # fraction of images whose digit answer is the same for all ten numbers
    contradiction: float  # how often the sum answered is not the digit answered plus the number
    digit_loss: float
    sum_loss: float
    joint_accuracy_by_number: list[float]  # 10
    digit_confusion: list[list[int]]  # 10 x 10 pairs: row = true digit, column = answer
    sum_confusion: list[list[int]]  # 19 x 19 pairs: row = true sum, column = answer


@torch.no_grad()
def ask(design: Adder, images: Tensor, digits: Tensor) -> Answers:
    """Ask about every image with each of the ten numbers; each image is encoded once.

    Args:
        design: in evaluation mode, on the images' device.
        images: (N, 1, 28, 28) float32 in [0, 1].
        digits: (N,) int64, the true ones, for the losses.
    """
    count = len(images)
    features = design.encode(images).float()
    numbers = torch.arange(NUMBERS, device=images.device).repeat(count)  # 0..9 for each image in turn
    true_digits = digits.repeat_interleave(NUMBERS)
    with torch.autocast(images.device.type, enabled=False):  # heads are float32, in training's validation too
        outputs = design.combine(features.repeat_interleave(NUMBERS, 0), numbers)
        losses = design.losses(outputs, true_digits, true_digits + numbers)
    return Answers(
        outputs.digit_logits.argmax(1).view(count, NUMBERS),
        design.sum_probabilities(outputs).argmax(1).view(count, NUMBERS),
        losses.digit * len(numbers),
        losses.sum * len(numbers),
    )


def measure(answers: list[Answers], digits: Tensor) -> Metrics:
    """Count over the answers to all images, given in pieces, and their true digits (N,)."""
    said_digits = torch.cat([piece.digits for piece in answers])
    said_sums = torch.cat([piece.sums for piece in answers])
    numbers = torch.arange(NUMBERS, device=digits.device)
    true_digits = digits.unsqueeze(1).expand_as(said_digits)
    true_sums = true_digits + numbers
    digit_right, sum_right = said_digits == true_digits, said_sums == true_sums
    joint_right = digit_right & sum_right
    digit_accuracy, sum_accuracy = _fraction(digit_right), _fraction(sum_right)
    pairs = said_digits.numel()
    return Metrics(
        pairs=pairs,
        digit_accuracy=digit_accuracy,
        sum_accuracy=sum_accuracy,
        joint_accuracy=_fraction(joint_right),
        mean_accuracy=(digit_accuracy + sum_accuracy) / 2,
        product_accuracy=digit_accuracy * sum_accuracy,
        digit_consistency=_fraction((said_digits == said_digits[:, :1]).all(1)),
        contradiction=_fraction(said_sums != said_digits + numbers),
        digit_loss=sum(piece.digit_losses.item() for piece in answers) / pairs,
        sum_loss=sum(piece.sum_losses.item() for piece in answers) / pairs,
        joint_accuracy_by_number=[_fraction(column) for column in joint_right.T],
        digit_confusion=_confusion(true_digits, said_digits, DIGITS),
        sum_confusion=_confusion(true_sums, said_sums, SUMS),
    )


def _fraction(right: Tensor) -> float:
    return int(right.sum()) / right.numel()  # counted in whole numbers: exact, and the same everywhere


def _confusion(true: Tensor, said: Tensor, classes: int) -> list[list[int]]:
    cells = torch.bincount((true * classes + said).flatten(), minlength=classes * classes)
    table: list[list[int]] = cells.view(classes, classes).tolist()
    return table
