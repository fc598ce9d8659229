"""What a model predicts for images with all ten numbers, and how often that is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from mnist_adder.models import Adder
from mnist_adder.types import DIGITS, NUMBERS, SUMS

# What is logged after each epoch, of training and of validation.
LOGGED = ("digit_loss", "sum_loss", "digit_accuracy", "sum_accuracy", "joint_accuracy")

_BINS = 15  # of confidence, equally wide; as many as the source of calibration_error uses


class PairPredictions(NamedTuple):
    """What a model predicts for N images with the numbers 0..9: row i, column n is one pair."""

    digits: Tensor  # (N, 10) int64
    sums: Tensor  # (N, 10) int64
    digit_confidences: Tensor  # (N, 10) float32, the probability of the predicted digit
    sum_confidences: Tensor  # (N, 10) float32, the probability of the predicted sum
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
    digit_consistency: float  # fraction of images with the same predicted digit for all ten numbers
    inconsistency: float  # how often the predicted sum is not the predicted digit plus the number
    digit_loss: float
    sum_loss: float
    digit_calibration_error: float  # mean distance of confidence from accuracy, over the bins below
    sum_calibration_error: float
    digit_reliability: list[list[float]]  # per bin of confidence: pairs, mean confidence, accuracy
    sum_reliability: list[list[float]]
    joint_accuracy_by_number: list[float]  # 10
    inconsistency_by_number: list[float]  # 10
    digit_confusion: list[list[int]]  # 10 x 10 pairs: row = true digit, column = predicted
    sum_confusion: list[list[int]]  # 19 x 19 pairs: row = true sum, column = predicted


@torch.no_grad()
def predict_pairs(model: Adder, images: Tensor, digits: Tensor) -> PairPredictions:
    """Predict digit and sum of every image with each of the ten numbers; each image is encoded once.

    Args:
        model: in evaluation mode, on the images' device.
        images: (N, 1, 28, 28) float32 in [0, 1].
        digits: (N,) int64, the true ones, for the losses.
    """
    features = model.encode(images).float()
    numbers = torch.arange(NUMBERS, device=images.device).repeat(len(images))  # 0..9 for each image in turn
    true_digits = digits.repeat_interleave(NUMBERS)
    with torch.autocast(images.device.type, enabled=False):  # heads are float32, in training's validation too
        outputs = model.combine(features.repeat_interleave(NUMBERS, 0), numbers)
        losses = model.losses(outputs, true_digits, true_digits + numbers)
    digit_confidences, predicted_digits = outputs.digit_logits.softmax(1).max(1)
    sum_confidences, predicted_sums = model.sum_probabilities(outputs).max(1)
    return PairPredictions(
        predicted_digits.view(-1, NUMBERS),
        predicted_sums.view(-1, NUMBERS),
        digit_confidences.view(-1, NUMBERS),
        sum_confidences.view(-1, NUMBERS),
        losses.digit * len(numbers),
        losses.sum * len(numbers),
    )


def concatenate(parts: list[PairPredictions]) -> PairPredictions:
    """The predictions for all images, from those for parts of them."""
    columns = list(zip(*parts, strict=True))
    return PairPredictions(
        *map(torch.cat, columns[:4]), *(torch.stack(losses).sum() for losses in columns[4:])
    )


def compute_metrics(predictions: PairPredictions, digits: Tensor) -> Metrics:
    """Count over the predictions for N images with the true digits (N,), on any device."""
    numbers = torch.arange(NUMBERS, device=predictions.digits.device)
    true_digits = digits.to(numbers.device).unsqueeze(1).expand_as(predictions.digits)
    true_sums = true_digits + numbers
    digit_right, sum_right = predictions.digits == true_digits, predictions.sums == true_sums
    joint_right = digit_right & sum_right
    inconsistent = predictions.sums != predictions.digits + numbers
    digit_accuracy, sum_accuracy = _fraction(digit_right), _fraction(sum_right)
    digit_reliability = reliability(predictions.digit_confidences, digit_right)
    sum_reliability = reliability(predictions.sum_confidences, sum_right)
    pairs = digit_right.numel()
    return Metrics(
        pairs=pairs,
        digit_accuracy=digit_accuracy,
        sum_accuracy=sum_accuracy,
        joint_accuracy=_fraction(joint_right),
        mean_accuracy=(digit_accuracy + sum_accuracy) / 2,
        product_accuracy=digit_accuracy * sum_accuracy,
        digit_consistency=_fraction((predictions.digits == predictions.digits[:, :1]).all(1)),
        inconsistency=_fraction(inconsistent),
        digit_loss=predictions.digit_losses.item() / pairs,
        sum_loss=predictions.sum_losses.item() / pairs,
        digit_calibration_error=calibration_error(digit_reliability),
        sum_calibration_error=calibration_error(sum_reliability),
        digit_reliability=digit_reliability,
        sum_reliability=sum_reliability,
        joint_accuracy_by_number=[_fraction(column) for column in joint_right.T],
        inconsistency_by_number=[_fraction(column) for column in inconsistent.T],
        digit_confusion=_confusion(true_digits, predictions.digits, DIGITS),
        sum_confusion=_confusion(true_sums, predictions.sums, SUMS),
    )


def reliability(confidences: Tensor, right: Tensor) -> list[list[float]]:
    """How often predictions are right, from their confidences, float in [0, 1], and bools, of any shape.

    Returns:
        For each bin of confidence the predictions in it, their mean confidence, and the fraction of them
        that is right; zeros for an empty bin.
    """
    confidences, right = confidences.flatten().cpu().double(), right.flatten().cpu().double()
    places = (confidences * _BINS).long().clamp(0, _BINS - 1)
    counts = torch.bincount(places, minlength=_BINS).double()
    totals = [torch.bincount(places, values, minlength=_BINS) for values in (confidences, right)]
    table: list[list[float]] = torch.stack([counts, *(t / counts.clamp(min=1) for t in totals)], 1).tolist()
    return table


def calibration_error(table: list[list[float]]) -> float:
    """Expected calibration error, in [0, 1]: the bins' |accuracy - confidence|, weighted by their size.

    Source: Guo et al. 2017, On Calibration of Modern Neural Networks, arXiv:1706.04599, equation 3.
    """
    distances = sum(count * abs(accuracy - confidence) for count, confidence, accuracy in table)
    return distances / sum(count for count, *_ in table)


def _fraction(right: Tensor) -> float:
    return int(right.sum()) / right.numel()  # counted in whole numbers: exact, and the same everywhere


def _confusion(true: Tensor, predicted: Tensor, classes: int) -> list[list[int]]:
    cells = torch.bincount((true * classes + predicted).flatten(), minlength=classes * classes)
    table: list[list[int]] = cells.view(classes, classes).tolist()
    return table
