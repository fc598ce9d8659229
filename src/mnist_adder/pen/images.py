"""MNIST's images with pen-written digits and other characters added, to learn from and to be counted."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from mnist_adder.data import images as mnist_images
from mnist_adder.data.images import DatasetName, DigitImages
from mnist_adder.data.sklearn_digits import mnist_like
from mnist_adder.data.strokes import Character, Stroke, checksum, load_characters
from mnist_adder.pen.drawing import Pen, between, draw, draw_images, random_pen
from mnist_adder.pen.styles import rare_digit, scribble
from mnist_adder.types import NO_DIGIT

TrainingSet = Literal["mnist+pen"] | DatasetName

DRAWINGS = 6
"""Training images of each character."""
PAIRS = 7_000
"""Training images of two digits side by side, which are no digit."""
FRAMED = 3_000
"""Training images of digits in rings and boxes that could not be taken off, which are no digit."""
RARE_DIGITS, SCRIBBLES = 6_000, 3_000
"""Characters of our own, drawn once; see :mod:`mnist_adder.pen.styles`."""
COARSE_COPIES = 16_000
"""Coarse copies of MNIST's training images."""


def load_images(
    dataset: TrainingSet, data_dir: Path | str | None = None, notify: Callable[[str], None] | None = None
) -> DigitImages:
    """Load a dataset to train on: as :func:`mnist_adder.data.images.load_images` does, or ``"mnist+pen"``.

    That is MNIST with pen-written digits and other characters among the training images, see
    :func:`~mnist_adder.data.strokes.load_characters`; validation and test images are MNIST's.

    Raises:
        DataError: there is no such dataset, or it cannot be had.
    """
    if dataset != "mnist+pen":
        return mnist_images.load_images(dataset, data_dir, notify)
    characters = load_characters()  # before anything is downloaded
    data = mnist_images.load_images("mnist", data_dir, notify)
    if notify is not None:
        notify("Drawing pen-written characters with many pens, which takes a minute or two.")
    learned_from = [character for character in characters if not character.validation]
    images, labels = draw_training_images(learned_from, *data.select("train"))
    return replace(
        data,
        dataset=dataset,
        train_images=torch.cat([data.train_images, images]),
        train_digits=torch.cat([data.train_digits, labels]),
        pen=len(labels),
        sha256=hashlib.sha256((data.sha256 + checksum(characters)).encode()).hexdigest(),
        origin=f"{data.origin}, and {len(labels):,} images of pen-written characters",
    )


def draw_validation_images() -> tuple[Tensor, Tensor]:
    """Five pictures of each character by a held-out writer, always the same: see :func:`draw_images`.

    The characters stay as they were written. With one picture of each, the pens alone make a difference of
    0.2 % of the digits.

    Raises:
        DataError: there are no pen-written characters here.
    """
    return draw_images([character for character in load_characters() if character.validation], times=5)


def draw_training_images(
    characters: Sequence[Character], images: Tensor, digits: Tensor
) -> tuple[Tensor, Tensor]:
    """All that is learned from beside MNIST; the returned images and labels are as of :func:`draw_images`.

    Each character is drawn with several pens. Digits in rare styles are drawn once. Scribbles, pairs of
    digits side by side and digits in frames are no digit. Coarse copies of all pen-written digits and of some
    of MNIST's teach digits of few pixels.

    Args:
        characters: by writers who are not held out.
        images: MNIST's training images that are not held out, (N, 28, 28) uint8.
        digits: the digits they show, (N,).
    """
    random = np.random.default_rng(0)
    written = [character for character in characters if character.digit != NO_DIGIT]
    chosen = random.choice(len(written), (PAIRS, 2))
    pairs = [_side_by_side([written[place] for place in pair], random) for pair in chosen]
    framed = [_framed(written[place], random) for place in random.choice(len(written), FRAMED)]
    rare = [rare_digit(random) for _ in range(RARE_DIGITS)]
    scribbles = [scribble(random) for _ in range(SCRIBBLES)]
    parts = [
        draw_images(characters, times=DRAWINGS, seed=1, pen=random_pen),
        draw_images([*pairs, *rare, *scribbles], seed=2, pen=random_pen),
        draw_images(framed, seed=3, pen=_small_pen),
    ]
    copies, labels = [], []
    for character in (*written, *rare):
        pen = replace(random_pen(random), width=between(random, 0.06, 0.4), side=48, blur=0.0)
        copies.append(coarse_copy(255 - draw(character.strokes, pen), random))
        labels.append(character.digit)
    for place in random.permutation(len(images))[:COARSE_COPIES]:
        copies.append(coarse_copy(images[place].numpy(), random))
        labels.append(int(digits[place]))
    parts.append((torch.from_numpy(np.stack(copies)), torch.tensor(labels)))
    return torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])


def _side_by_side(characters: Sequence[Character], random: np.random.Generator) -> Character:
    """Digits of about one height, in a row; they overlap a little, touch, or stand apart."""
    strokes: list[Stroke] = []
    start = 0.0
    for character in characters:
        points = np.concatenate(character.strokes)
        low, size = points.min(axis=0), np.ptp(points, axis=0)
        height = random.uniform(0.85, 1.15)
        scale = height / max(float(size[1]), 0.3 * float(size[0]), 1e-6)
        corner = np.array([start, (1 - height) / 2 + random.normal(0, 0.08)])
        strokes += [(stroke - low) * scale + corner for stroke in character.strokes]
        start += float(size[0]) * scale + random.uniform(-0.05, 0.35)
    return Character(strokes, NO_DIGIT, validation=False)


def _framed(character: Character, random: np.random.Generator) -> Character:
    """A digit in a ring or a box, which it may touch; a 1 in a box alone: in a ring it is a slashed 0."""
    points = np.concatenate(character.strokes)
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    size = np.ptp(points, axis=0)
    reach = np.maximum(size, 0.6 * size.max()) / 2 * random.uniform(0.9, 1.6, 2)
    turns = np.linspace(0, 2 * np.pi, 40)
    shape = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    if character.digit == 1 or random.random() < 0.4:
        shape = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]])
    frame = middle + reach * shape
    return Character([*character.strokes, frame], NO_DIGIT, validation=False)


def _small_pen(random: np.random.Generator) -> Pen:
    """A fine pen, for pictures so small that preprocess looks for no frames in them."""
    pen = random_pen(random)
    return replace(pen, width=between(random, 0.03, 0.09), side=int(random.choice([20, 24, 32, 40])))


def coarse_copy(ink: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """A copy of an image (H, W), ink bright on dark, as of a scanner that sees few pixels: (28, 28).

    Its proportions change a little, and sometimes it becomes black and white.
    """
    rows, columns = np.nonzero(ink)
    picture = Image.fromarray(ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1])
    side, stretch = int(random.choice([8, 8, 9, 10, 12, 14, 16, 20])), math.exp(random.normal(0, 0.12))
    width, height = picture.width * stretch, picture.height / stretch
    scale = side / max(width, height)
    size = (max(2, round(width * scale)), max(2, round(height * scale)))
    values = np.asarray(picture.resize(size, Image.Resampling.BOX), dtype=np.float64)
    values /= values.max()
    return mnist_like(np.clip((values - 0.4) * 6 + 0.5, 0, 1) if random.random() < 0.3 else values)
