"""The parts of a step."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from mnist_adder import models
from mnist_adder.training.lit_module import AdderModule, with_more_numbers
from mnist_adder.types import Batch

BATCH = Batch(torch.zeros(2, 1, 28, 28), torch.tensor([3, 9]), torch.tensor([5, 0]), torch.tensor([8, 9]))
FEATURES = torch.tensor([[1.0], [2.0]])


def test_one_number_an_image_changes_nothing() -> None:
    features, batch = with_more_numbers(FEATURES, BATCH, 1)
    assert features is FEATURES
    assert batch is BATCH


def test_more_numbers_follow_the_first_and_the_sums_with_them() -> None:
    features, batch = with_more_numbers(FEATURES, BATCH, 3)
    assert features.flatten().tolist() == [1, 1, 1, 2, 2, 2]
    assert batch.numbers.tolist() == [3, 4, 5, 9, 0, 1]
    assert batch.digits.tolist() == [5, 5, 5, 0, 0, 0]
    assert batch.sums.tolist() == [8, 9, 10, 9, 0, 1]


def test_ten_numbers_are_all_of_them() -> None:
    _, batch = with_more_numbers(FEATURES, BATCH, 10)
    assert sorted(batch.numbers[:10].tolist()) == sorted(batch.numbers[10:].tolist()) == list(range(10))


def test_label_smoothing_is_of_the_digits_alone() -> None:
    model = models.build("exact-sum").eval()
    recipe = models.recipe_of("exact-sum")
    plain = AdderModule(model, recipe)
    smooth = AdderModule(model, recipe.replaced({"label_smoothing": 0.2}))
    outputs, before, *_ = plain.learn_from(BATCH)
    _, after, *_ = smooth.learn_from(BATCH)
    expected = F.cross_entropy(outputs.digit_logits, BATCH.digits, label_smoothing=0.2)
    torch.testing.assert_close(after.digit, expected)
    assert torch.equal(after.sum, before.sum)
