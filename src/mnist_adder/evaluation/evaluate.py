"""Evaluating a trained model, or a run, on all pairs of a split."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mnist_adder.data.dataset import MNISTAdder
from mnist_adder.data.images import load_images
from mnist_adder.environment import best_device
from mnist_adder.errors import RunError
from mnist_adder.evaluation import metrics
from mnist_adder.evaluation.metrics import Metrics, PairPredictions
from mnist_adder.models.base import evaluation_mode
from mnist_adder.models.ensemble import SHIFTS, Ensemble

if TYPE_CHECKING:
    from mnist_adder.models import Adder
    from mnist_adder.runs import Run

_IMAGES_AT_ONCE = 500  # few enough that the activations stay in the processor's cache


def predict_split(model: Adder, dataset: MNISTAdder) -> PairPredictions:
    """Predict all pairs of a split, in float32, on the model's device; its mode is left as it was."""
    device = next(model.parameters()).device
    chunks = zip(
        dataset.images.to(device).split(_IMAGES_AT_ONCE),
        dataset.digits.to(device).split(_IMAGES_AT_ONCE),
        strict=True,
    )
    with evaluation_mode(model):
        return metrics.concatenate(
            [metrics.predict_pairs(model, images.float() / 255, digits) for images, digits in chunks]
        )


def evaluate(model: Adder, dataset: MNISTAdder) -> Metrics:
    """Count how often a model is right on all pairs of a split; see :func:`predict_split`."""
    return metrics.compute_metrics(predict_split(model, dataset), dataset.digits)


def evaluate_run(
    run: Run,
    *,
    split: Literal["test", "validation"] = "test",
    data_dir: Path | None = None,
    augment: bool = False,
) -> Metrics:
    """Load a run's weights and the dataset it was trained on, and evaluate.

    Args:
        run: a finished run.
        split: whose images are counted.
        data_dir: see :func:`mnist_adder.data.images.load_images`.
        augment: predict each image also shifted by a pixel to each side, and take the mean.

    Raises:
        DataError: the dataset cannot be loaded.
        RunError: the run was trained on another version of the dataset, or on ``split`` itself.
    """
    if split == "validation" and run.config.recipe.train_on == "all":
        raise RunError(
            f"{run.folder} was trained on all images, the validation images too: they say nothing."
        )
    data = load_images(run.config.dataset, data_dir)
    run.check_data(data.sha256, data.origin)
    model = run.load_model()
    if augment:
        model = Ensemble([model], SHIFTS).eval()
    return evaluate(model.to(best_device()), MNISTAdder(split=split, data=data))
