"""Evaluating a trained model, or a run, with all ten numbers for each image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from mnist_adder.data.dataset import MNISTAdder
from mnist_adder.data.images import DatasetName, load_images
from mnist_adder.environment import best_device
from mnist_adder.errors import RunError
from mnist_adder.evaluation import metrics
from mnist_adder.evaluation.metrics import Metrics, PairPredictions
from mnist_adder.evaluation.outliers import OutlierMetrics, compute_outlier_metrics, is_digit_probabilities
from mnist_adder.models.base import evaluation_mode
from mnist_adder.models.ensemble import SHIFTS, Ensemble
from mnist_adder.pen.images import draw_validation_images
from mnist_adder.types import NO_DIGIT

if TYPE_CHECKING:
    from mnist_adder.models import Adder
    from mnist_adder.runs import Run

_IMAGES_AT_ONCE = 500  # few enough that the activations stay in the processor's cache

TestSet = Literal["mnist", "pen", "digits"]


def predict_images(model: Adder, images: Tensor, digits: Tensor) -> PairPredictions:
    """Predict images (N, 1, 28, 28) uint8, that show these digits (N,), with all ten numbers.

    It is done in float32, on the model's device; its mode is left as it was.
    """
    device = next(model.parameters()).device
    chunks = zip(
        images.to(device).split(_IMAGES_AT_ONCE), digits.to(device).split(_IMAGES_AT_ONCE), strict=True
    )
    with evaluation_mode(model):
        return metrics.concatenate(
            [metrics.predict_pairs(model, chunk.float() / 255, shown) for chunk, shown in chunks]
        )


def evaluate(model: Adder, dataset: MNISTAdder) -> Metrics:
    """Count how often a model is right on all pairs of a split; see :func:`predict_images`."""
    return metrics.compute_metrics(predict_images(model, dataset.images, dataset.digits), dataset.digits)


def evaluate_run(
    run: Run,
    *,
    on: TestSet | None = None,
    split: Literal["test", "validation"] = "test",
    data_dir: Path | None = None,
    augment: bool = False,
) -> Metrics:
    """Load a run's weights and images that it was not trained on, and count how often it is right.

    Args:
        run: a finished run.
        on: MNIST's pairs, held-out writers of the pen-written characters, or the digits bundled with
            scikit-learn, all of them unless the run was trained on them. By default the run's own dataset.
        split: whose images are counted, of MNIST or of the bundled digits.
        data_dir: see :func:`mnist_adder.data.images.load_images`.
        augment: predict each image also shifted by a pixel to each side, and take the mean.

    Raises:
        DataError: the dataset cannot be loaded.
        RunError: the run was trained on another version of the dataset, or on ``split`` itself.
    """
    if on == "pen":
        images, digits = draw_validation_images()
        images, digits = images[digits != NO_DIGIT], digits[digits != NO_DIGIT]
    else:
        images, digits = _held_out(run, on, split, data_dir)
    model = run.load_model()
    if augment:
        model = Ensemble([model], SHIFTS).eval()
    model = model.to(best_device())
    return metrics.compute_metrics(predict_images(model, images.unsqueeze(1), digits), digits)


def _held_out(
    run: Run, on: TestSet | None, split: Literal["test", "validation"], data_dir: Path | None
) -> tuple[Tensor, Tensor]:
    """Images (N, 28, 28) and digits (N,) of a dataset that the run was not trained on."""
    if split == "validation" and run.config.recipe.train_on == "all":
        raise RunError(
            f"{run.folder} was trained on all images, the validation images too: they say nothing."
        )
    name: DatasetName = "digits" if (on or run.config.dataset) == "digits" else "mnist"
    data = load_images(name, data_dir)
    if data.dataset == run.config.dataset:
        run.check_data(data.sha256, data.origin)
    images, digits = data.select(split)
    if name == "digits" != run.config.dataset:
        images = torch.cat([data.train_images, data.test_images])
        digits = torch.cat([data.train_digits, data.test_digits])
    return images, digits


def evaluate_outliers(run: Run) -> OutlierMetrics:
    """How well a run tells the digits of the pen's held-out writers from their other characters.

    Raises:
        DataError: there are no pen-written characters here.
        RunError: the run was not taught to tell them.
    """
    threshold = run.results.get("is_digit_threshold")
    if threshold is None:
        raise RunError(
            f"{run.folder} was not taught to tell digits from other characters: train on mnist+pen."
        )
    images, labels = draw_validation_images()
    likely = is_digit_probabilities(run.load_model().to(best_device()), images)
    return compute_outlier_metrics(likely[labels != NO_DIGIT], likely[labels == NO_DIGIT], threshold)
