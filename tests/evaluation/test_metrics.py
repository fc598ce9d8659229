"""Counting, against a loop over single pairs and against answers made up to be wrong in known ways."""

from __future__ import annotations

import pytest
import torch

from mnist_adder import designs
from mnist_adder.data import Corpus
from mnist_adder.evaluation.metrics import Answers, Metrics, ask, measure


@pytest.mark.parametrize("name", designs.names())
def test_asking_all_at_once_is_asking_one_pair_at_a_time(name: str, corpus: Corpus) -> None:
    torch.manual_seed(1)
    design = designs.get(name)().eval()
    images, digits = corpus.test_images[:6].unsqueeze(1).float() / 255, corpus.test_digits[:6]
    answers = ask(design, images, digits)
    digit_loss = sum_loss = 0.0
    with torch.no_grad():
        for row in range(6):
            for number in range(10):
                outputs = design(images[row : row + 1], torch.tensor([number]))
                assert answers.digits[row, number] == outputs.digit_logits.argmax()
                assert answers.sums[row, number] == design.sum_probabilities(outputs).argmax()
                digit = digits[row : row + 1]
                losses = design.losses(outputs, digit, digit + number)
                digit_loss += losses.digit.item()
                sum_loss += losses.sum.item()
    assert answers.digit_losses.item() == pytest.approx(digit_loss, rel=1e-4)
    assert answers.sum_losses.item() == pytest.approx(sum_loss, rel=1e-4)


def test_heads_stay_in_float32_where_the_images_way_does_not(corpus: Corpus) -> None:
    torch.manual_seed(1)
    design = designs.get("argmax-regression")().eval()
    images, digits = corpus.test_images[:6].unsqueeze(1).float() / 255, corpus.test_digits[:6]
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        features = design.encode(images)
    outputs = design.combine(features.float(), torch.zeros(6, dtype=torch.int64))
    exact = design.losses(outputs, digits, digits).sum.item()
    with torch.autocast("cpu", torch.bfloat16):
        answers = ask(design, images, digits)
        rounded = design.losses(
            design.combine(features.float(), torch.zeros(6, dtype=torch.int64)), digits, digits
        )
    assert rounded.sum.item() != exact  # bfloat16 would show
    numbers = torch.arange(10).repeat(6)
    repeated = digits.repeat_interleave(10)
    outputs = design.combine(features.float().repeat_interleave(10, 0), numbers)
    whole = design.losses(outputs, repeated, repeated + numbers).sum.item()
    assert answers.sum_losses.item() == pytest.approx(60 * whole, rel=1e-6)


def made_up() -> Metrics:
    """Four images of 3; one digit answer changes with the number, some sums are wrong."""
    digits = torch.full((4,), 3)
    said_digits = torch.full((4, 10), 3)
    said_sums = said_digits + torch.arange(10)
    said_digits[0, 9] = 8  # digit wrong, sum still right: they contradict each other
    said_sums[1, 0] = 0  # digit right, sum wrong
    said_digits[2], said_sums[2] = 5, 5 + torch.arange(10)  # both wrong, but of one mind
    losses = torch.tensor(20.0)
    return measure(
        [
            Answers(said_digits[:3], said_sums[:3], losses, losses),
            Answers(said_digits[3:], said_sums[3:], losses, losses),
        ],
        digits,
    )


def test_accuracies_are_counted() -> None:
    metrics = made_up()
    assert metrics.pairs == 40
    assert metrics.digit_accuracy == 29 / 40
    assert metrics.sum_accuracy == 29 / 40
    assert metrics.joint_accuracy == 28 / 40
    assert metrics.mean_accuracy == 29 / 40
    assert metrics.product_accuracy == pytest.approx((29 / 40) ** 2)
    assert metrics.digit_loss == metrics.sum_loss == 1.0


def test_consistency_and_contradiction() -> None:
    metrics = made_up()
    assert metrics.digit_consistency == 3 / 4
    assert metrics.contradiction == 2 / 40


def test_by_number_and_confusion() -> None:
    metrics = made_up()
    assert metrics.joint_accuracy_by_number == [2 / 4, *[3 / 4] * 8, 2 / 4]
    assert metrics.digit_confusion[3][3] == 29
    assert metrics.digit_confusion[3][5] == 10
    assert metrics.digit_confusion[3][8] == 1
    assert sum(map(sum, metrics.digit_confusion)) == sum(map(sum, metrics.sum_confusion)) == 40
    assert metrics.sum_confusion[3][0] == 1
    assert sum(metrics.sum_confusion[sum_][sum_] for sum_ in range(19)) == 29
