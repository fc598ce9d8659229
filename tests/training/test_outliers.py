"""Learning from images of no digit: what a step makes of them, and what a run then knows."""

from __future__ import annotations

import dataclasses

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mnist_adder import models
from mnist_adder.data.dataset import MNISTAdder
from mnist_adder.data.images import DigitImages, load_images
from mnist_adder.evaluation.outliers import (
    THRESHOLD,
    compute_outlier_metrics,
    is_digit_probabilities,
)
from mnist_adder.runs import Run
from mnist_adder.training.config import TrainConfig
from mnist_adder.training.lit_module import AdderModule
from mnist_adder.training.train import fit_run
from mnist_adder.types import NO_DIGIT, Batch


def boxes(count: int) -> Tensor:
    """Images (N, 28, 28) of filled boxes, which no digit looks like."""
    images = torch.zeros(count, 28, 28, dtype=torch.uint8)
    for place in range(count):
        left = 4 + place % 6
        images[place, 5 : 15 + place % 8, left : left + 12] = 255
    return images


@pytest.fixture(scope="module")
def with_boxes() -> DigitImages:
    """The bundled digits with boxes appended, as pen-written characters are to MNIST."""
    digits = load_images("digits")
    count = 300
    return dataclasses.replace(
        digits,
        train_images=torch.cat([digits.train_images, boxes(count)]),
        train_digits=torch.cat([digits.train_digits, torch.full((count,), NO_DIGIT)]),
        pen=count,
    )


@pytest.fixture(scope="module")
def run(with_boxes: DigitImages, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A short run that has learned from them."""
    config = TrainConfig(recipe={"epochs": 6}, dataset="digits").to_run_config(with_boxes)
    return fit_run(Run.create(tmp_path_factory.mktemp("outliers") / "run", config), with_boxes)


@pytest.mark.parametrize("name", models.names())
def test_the_losses_are_of_the_digits_alone(name: str, with_boxes: DigitImages) -> None:
    model = models.build(name).eval()
    module = AdderModule(model, models.recipe_of(name), has_outliers=True)
    dataset = MNISTAdder(split="all", data=with_boxes)
    count = len(dataset)
    batch = dataset.batch(torch.tensor([0, count - 1, 1, count - 2, 2]))
    step = module.learn_from(batch)
    alone = AdderModule(model, models.recipe_of(name)).learn_from(dataset.batch(torch.tensor([0, 1, 2])))
    torch.testing.assert_close(step.losses, alone.losses)
    assert torch.equal(step.batch.sums, alone.batch.sums)
    assert step.outlier is not None
    assert alone.outlier is None


def test_the_outlier_loss_is_that_of_an_eleventh_class_with_logit_zero() -> None:
    model = models.build("exact-sum").eval()
    module = AdderModule(model, models.recipe_of("exact-sum"), has_outliers=True)
    images = torch.rand(4, 1, 28, 28)
    digits = torch.tensor([3, NO_DIGIT, 5, NO_DIGIT])
    numbers = torch.tensor([1, 2, 3, 4])
    step = module.learn_from(Batch(images, numbers, digits, digits + numbers))
    eleven = F.pad(model(images, numbers).digit_logits, (0, 1)).softmax(1)
    none = eleven[:, 10]
    expected = -torch.stack([(1 - none[0]), none[1], (1 - none[2]), none[3]]).log().mean()
    torch.testing.assert_close(step.outlier, expected)


def test_none_is_held_out(with_boxes: DigitImages) -> None:
    digits = load_images("digits")
    for split in ("validation", "test"):
        assert torch.equal(with_boxes.select(split)[0], digits.select(split)[0])
    assert len(with_boxes.select("train")[0]) == len(digits.select("train")[0]) + with_boxes.pen
    assert with_boxes.has_outliers
    assert not digits.has_outliers


def test_a_run_tells_what_is_no_digit(run: Run, with_boxes: DigitImages) -> None:
    threshold, model = run.results["is_digit_threshold"], run.load_model()
    assert threshold == THRESHOLD
    digits = is_digit_probabilities(model, with_boxes.test_images)
    others = is_digit_probabilities(model, boxes(40))
    found = compute_outlier_metrics(digits, others, threshold)
    assert found.digits == len(with_boxes.test_images)
    assert found.others == 40
    assert found.auroc > 0.99
    assert found.kept > 0.9
    assert run.results["digit_accuracy"] > 0.8
    assert run.metrics[-1]["train_digit_accuracy"] > 0.8  # counted on the digits alone


def test_outlier_metrics_of_a_few_probabilities() -> None:
    digits, others = torch.linspace(0.5, 1, 101), torch.tensor([0.1, 0.505, 0.6, 0.2])
    found = compute_outlier_metrics(digits, others, threshold=0.55)
    assert found.passing == 0.25
    assert found.passing_at_98 == 0.25  # two of a hundred digits lie below 0.51
    assert found.kept == pytest.approx(91 / 101)
    assert found.auroc == pytest.approx((101 + 101 + 99 + 80) / 404, abs=0.01)


def test_a_run_without_outliers_has_no_threshold(trained_run: Run) -> None:
    assert "is_digit_threshold" not in trained_run.results
