"""Predictions and counts, against a loop over single pairs and against predictions wrong in known ways."""

from __future__ import annotations

import pytest
import torch

from mnist_adder import models
from mnist_adder.data.images import DigitImages
from mnist_adder.evaluation.metrics import (
    Metrics,
    PairPredictions,
    calibration_error,
    compute_metrics,
    concatenate,
    predict_pairs,
    reliability,
)


@pytest.mark.parametrize("name", models.names())
def test_all_pairs_at_once_are_predicted_as_one_at_a_time(name: str, data: DigitImages) -> None:
    torch.manual_seed(1)
    model = models.get(name)().eval()
    images, digits = data.test_images[:6].unsqueeze(1).float() / 255, data.test_digits[:6]
    predictions = predict_pairs(model, images, digits)
    digit_loss = sum_loss = 0.0
    with torch.no_grad():
        for row in range(6):
            for number in range(10):
                outputs = model(images[row : row + 1], torch.tensor([number]))
                assert predictions.digits[row, number] == outputs.digit_logits.argmax()
                sum_probabilities = model.sum_probabilities(outputs)
                assert predictions.sums[row, number] == sum_probabilities.argmax()
                confidence = predictions.sum_confidences[row, number].item()
                assert confidence == pytest.approx(sum_probabilities.max().item(), rel=1e-4)
                confidence = predictions.digit_confidences[row, number].item()
                assert confidence == pytest.approx(outputs.digit_logits.softmax(1).max().item(), rel=1e-4)
                digit = digits[row : row + 1]
                losses = model.losses(outputs, digit, digit + number)
                digit_loss += losses.digit.item()
                sum_loss += losses.sum.item()
    assert predictions.digit_losses.item() == pytest.approx(digit_loss, rel=1e-4)
    assert predictions.sum_losses.item() == pytest.approx(sum_loss, rel=1e-4)


def test_heads_run_in_float32_where_the_encoder_runs_in_bf16(data: DigitImages) -> None:
    torch.manual_seed(1)
    model = models.get("argmax-regression")().eval()
    images, digits = data.test_images[:6].unsqueeze(1).float() / 255, data.test_digits[:6]
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        features = model.encode(images)
    outputs = model.combine(features.float(), torch.zeros(6, dtype=torch.int64))
    exact = model.losses(outputs, digits, digits).sum.item()
    with torch.autocast("cpu", torch.bfloat16):
        predictions = predict_pairs(model, images, digits)
        rounded = model.losses(
            model.combine(features.float(), torch.zeros(6, dtype=torch.int64)), digits, digits
        )
    assert rounded.sum.item() != exact  # bfloat16 would show
    numbers = torch.arange(10).repeat(6)
    repeated = digits.repeat_interleave(10)
    outputs = model.combine(features.float().repeat_interleave(10, 0), numbers)
    whole = model.losses(outputs, repeated, repeated + numbers).sum.item()
    assert predictions.sum_losses.item() == pytest.approx(60 * whole, rel=1e-6)


def made_up() -> Metrics:
    """Four images of 3; one predicted digit changes with the number, some sums are wrong."""
    digits = torch.full((4,), 3)
    predicted_digits = torch.full((4, 10), 3)
    predicted_sums = predicted_digits + torch.arange(10)
    predicted_digits[0, 9] = 8  # digit wrong, sum still right: inconsistent
    predicted_sums[1, 0] = 0  # digit right, sum wrong
    predicted_digits[2], predicted_sums[2] = 5, 5 + torch.arange(10)  # both wrong, but consistent
    sure, losses = torch.full((4, 10), 0.9), torch.tensor(20.0)
    parts = [
        PairPredictions(
            predicted_digits[part], predicted_sums[part], sure[part], sure[part] - 0.3, losses, losses
        )
        for part in (slice(3), slice(3, 4))
    ]
    return compute_metrics(concatenate(parts), digits)


def test_accuracies_are_counted() -> None:
    metrics = made_up()
    assert metrics.pairs == 40
    assert metrics.digit_accuracy == 29 / 40
    assert metrics.sum_accuracy == 29 / 40
    assert metrics.joint_accuracy == 28 / 40
    assert metrics.inconsistency_by_number == [1 / 4, *8 * [0], 1 / 4]
    assert metrics.mean_accuracy == 29 / 40
    assert metrics.product_accuracy == pytest.approx((29 / 40) ** 2)
    assert metrics.digit_loss == metrics.sum_loss == 1.0


def test_consistency_and_inconsistency() -> None:
    metrics = made_up()
    assert metrics.digit_consistency == 3 / 4
    assert metrics.inconsistency == 2 / 40


def test_by_number_and_confusion() -> None:
    metrics = made_up()
    assert metrics.joint_accuracy_by_number == [2 / 4, *[3 / 4] * 8, 2 / 4]
    assert metrics.digit_confusion[3][3] == 29
    assert metrics.digit_confusion[3][5] == 10
    assert metrics.digit_confusion[3][8] == 1
    assert sum(map(sum, metrics.digit_confusion)) == sum(map(sum, metrics.sum_confusion)) == 40
    assert metrics.sum_confusion[3][0] == 1
    assert sum(metrics.sum_confusion[sum_][sum_] for sum_ in range(19)) == 29


def test_confidence_is_compared_with_accuracy() -> None:
    metrics = made_up()
    filled = [row for row in metrics.digit_reliability if row[0]]
    assert filled == [[40, pytest.approx(0.9), 29 / 40]]
    assert metrics.digit_calibration_error == pytest.approx(0.9 - 29 / 40)
    assert metrics.sum_calibration_error == pytest.approx(29 / 40 - 0.6)


def test_the_calibration_error_is_that_of_a_plain_loop() -> None:
    torch.manual_seed(0)
    confidences, right = torch.rand(1000), torch.rand(1000) < 0.7
    expected, count = 0.0, 0
    table = reliability(confidences, right)
    assert len(table) == 15
    for place, (inside, mean_confidence, accuracy) in enumerate(table):
        chosen = [i for i, c in enumerate(confidences.tolist()) if place / 15 <= c < (place + 1) / 15]
        hits = sum(bool(right[i]) for i in chosen) / len(chosen)
        mean = sum(confidences[i].item() for i in chosen) / len(chosen)
        assert inside == len(chosen)
        assert accuracy == pytest.approx(hits)
        assert mean_confidence == pytest.approx(mean)
        expected += len(chosen) * abs(hits - mean)
        count += len(chosen)
    assert count == 1000
    assert calibration_error(table) == pytest.approx(expected / 1000)


def test_a_confidence_of_one_has_a_bin() -> None:
    table = reliability(torch.tensor([1.0, 0.0]), torch.tensor([True, False]))
    assert table[14] == [1, 1, 1]
    assert table[0] == [1, 0, 0]
    assert calibration_error(table) == 0
