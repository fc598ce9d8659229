"""Evaluating a trained design on the pairs of a split.

A design and a dataset come in, Metrics go out; training writes them to results.json and
``mnist-adder evaluate`` prints them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mnist_adder.data import MNISTAdder, load_corpus
from mnist_adder.designs.ensemble import SHIFTS, Ensemble
from mnist_adder.errors import RunError
from mnist_adder.evaluation.metrics import Answers, Metrics, ask, gather, measure
from mnist_adder.machine import best_device

if TYPE_CHECKING:
    from mnist_adder.designs import Adder
    from mnist_adder.runs import Run

IMAGES_AT_ONCE = 500
"""Small enough that the activations of a chunk stay near the processor."""


def answer(design: Adder, dataset: MNISTAdder) -> Answers:
    """Ask about all pairs of a split: every image with each of the ten numbers, in float32.

    The design's device is used, and its mode is left as it was found.
    """
    device = next(design.parameters()).device
    was_training = design.training
    design.eval()
    images, digits = dataset.images.to(device), dataset.digits.to(device)
    pieces = zip(images.split(IMAGES_AT_ONCE), digits.split(IMAGES_AT_ONCE), strict=True)
    answers = [ask(design, piece.float() / 255, piece_digits) for piece, piece_digits in pieces]
    design.train(was_training)
    return gather(answers)


def evaluate(design: Adder, dataset: MNISTAdder) -> Metrics:
    """Count how often a design is right on all pairs of a split; see :func:`answer`."""
    return measure(answer(design, dataset), dataset.digits)


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
    corpus = load_corpus(run.config.dataset, data_dir)
    run.check_data(corpus.sha256, corpus.origin)
    design = run.load_design()
    if augment:
        design = Ensemble([design], SHIFTS).eval()
    return evaluate(design.to(best_device()), MNISTAdder(split=split, corpus=corpus))
