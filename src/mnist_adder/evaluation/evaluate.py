"""Evaluating a trained model on the pairs of a split.

A model and a dataset come in, Metrics go out; training writes them to results.json and
``mnist-adder evaluate`` prints them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mnist_adder.data import MNISTAdder, load_images
from mnist_adder.environment import best_device
from mnist_adder.errors import RunError
from mnist_adder.evaluation.metrics import Metrics, PairPredictions, ask, compute_metrics, gather
from mnist_adder.models.ensemble import SHIFTS, Ensemble

if TYPE_CHECKING:
    from mnist_adder.models import Adder
    from mnist_adder.runs import Run

IMAGES_AT_ONCE = 500
"""Small enough that the activations of a chunk stay near the processor."""


def answer(model: Adder, dataset: MNISTAdder) -> PairPredictions:
    """Ask about all pairs of a split: every image with each of the ten numbers, in float32.

    The model's device is used, and its mode is left as it was found.
    """
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    images, digits = dataset.images.to(device), dataset.digits.to(device)
    pieces = zip(images.split(IMAGES_AT_ONCE), digits.split(IMAGES_AT_ONCE), strict=True)
    answers = [ask(model, piece.float() / 255, piece_digits) for piece, piece_digits in pieces]
    model.train(was_training)
    return gather(answers)


def evaluate(model: Adder, dataset: MNISTAdder) -> Metrics:
    """Count how often a model is right on all pairs of a split; see :func:`answer`."""
    return compute_metrics(answer(model, dataset), dataset.digits)


def evaluate_run(
    run: Run,
    *,
    split: Literal["test", "validation"] = "test",
    data_dir: Path | None = None,
    augment: bool = False,
) -> Metrics:
    """Load a run's weights and the dataset it was trained on, and evaluate on ``split``.

    With ``augment`` each image is also asked about moved by a pixel to each side, and the mean counts.

    Raises:
        DataError: the dataset cannot be had.
        RunError: the dataset's content is not the one the run was trained on, or ``split`` was trained on.
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
