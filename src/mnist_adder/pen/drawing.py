"""Draws strokes with pens of many kinds, as pictures and as images in MNIST's form."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from torch import Tensor

from mnist_adder.data.strokes import Character, Stroke
from mnist_adder.errors import PictureError
from mnist_adder.inference.preprocess import preprocess
from mnist_adder.types import SIDE

_OVERSAMPLING = 3  # drawn so much larger and averaged, which makes edges soft


@dataclass(frozen=True, kw_only=True)
class Pen:
    """How strokes are drawn; lengths are shares of the character's longer side."""

    width: float = 0.1
    angle: float = 0.0  # radians, of the whole character
    slant: float = 0.0  # how far x moves with y
    stretch: float = 1.0  # how much wider for its height the character becomes
    nib: float = 1.0  # height of the nib as a share of its width
    side: int = 64  # pixels of the character's longer side
    blur: float = 0.0  # pixels


def ordinary_pen(random: np.random.Generator) -> Pen:
    """A pen as most people have it, on a picture of ordinary size; the character stays as it was written."""
    return Pen(width=between(random, 0.04, 0.16), side=int(random.choice([32, 48, 64, 96])))


def random_pen(random: np.random.Generator) -> Pen:
    """Any pen, on a picture of any resolution; the character is turned, slanted and stretched a little."""
    return Pen(
        width=between(random, 0.03, 0.2),
        angle=random.normal(0, 0.04),
        slant=random.normal(0, 0.08),
        stretch=math.exp(random.normal(0, 0.12)),
        nib=float(random.choice([1.0, 1.0, 0.5])),
        side=int(random.choice([10, 12, 16, 20, 24, 32, 48, 64, 96])),
        blur=float(random.choice([0.0, 0.0, 0.5, 1.0])),
    )


def between(random: np.random.Generator, low: float, high: float) -> float:
    """A random number whose logarithm is evenly spread."""
    return math.exp(random.uniform(math.log(low), math.log(high)))


def draw(strokes: Sequence[Stroke], pen: Pen) -> NDArray[np.uint8]:
    """Draw a character in dark ink on white paper, (H, W), with a margin around it."""
    cosine, sine = math.cos(pen.angle), math.sin(pen.angle)
    matrix = np.array([[cosine, -sine], [sine, cosine]]) @ np.array([[1.0, -pen.slant], [0.0, 1.0]])
    matrix = matrix @ np.diag([math.sqrt(pen.stretch), 1 / math.sqrt(pen.stretch)])
    turned = [stroke @ matrix.T for stroke in strokes]
    points = np.concatenate(turned)
    low, size = points.min(axis=0), np.ptp(points, axis=0)
    side = pen.side * _OVERSAMPLING
    scale = side / max(float(size.max()), 1e-6)
    margin = (0.6 * pen.width + 0.12) * side
    width, height = (size * scale + 2 * margin).astype(int) + 1
    image = Image.new("L", (int(width), int(height)), 255)
    canvas = ImageDraw.Draw(image)
    for stroke in turned:
        _draw_stroke(canvas, (stroke - low) * scale + margin, pen.width * side, pen.nib)
    if pen.blur:
        image = image.filter(ImageFilter.GaussianBlur(pen.blur * _OVERSAMPLING))
    return np.asarray(image.reduce(_OVERSAMPLING))


def _draw_stroke(canvas: ImageDraw.ImageDraw, points: Stroke, width: float, nib: float) -> None:
    stops = points[[0, -1]]  # round ends
    if nib == 1:
        canvas.line(points.ravel().tolist(), fill=0, width=max(1, round(width)), joint="curve")
    else:  # a flat nib leaves its ellipse all the way
        along = np.concatenate([[0], np.hypot(*np.diff(points, axis=0).T).cumsum()])
        at = np.arange(0, along[-1] + 1, max(1.0, width * nib / 4))
        stops = np.stack([np.interp(at, along, points[:, axis]) for axis in (0, 1)], axis=1)
    reach = np.array([width, width * nib]) / 2
    for low, high in zip((stops - reach).tolist(), (stops + reach).tolist(), strict=True):
        canvas.ellipse([*low, *high], fill=0)


def draw_images(
    characters: Sequence[Character],
    *,
    times: int = 1,
    seed: int = 0,
    pen: Callable[[np.random.Generator], Pen] = ordinary_pen,
) -> tuple[Tensor, Tensor]:
    """Draw each character with several pens, and bring the pictures into MNIST's form as prediction does.

    The few pictures that are too coarse to be read are left out. The same seed gives the same images, with
    the same version of Pillow.

    Args:
        characters: whose labels are the images' labels.
        times: pictures of each.
        seed: of the pens, >= 0.
        pen: draws a pen.

    Returns:
        Images (N, 28, 28) uint8 and labels (N,) int64, 0..9 or NO_DIGIT, character by character.
    """
    images, labels = [], []
    for place, character in enumerate(characters):
        random = np.random.default_rng([seed, place])
        for _ in range(times):
            try:
                image = preprocess(draw(character.strokes, pen(random)))
            except PictureError:
                continue
            images.append(np.rint(image * 255).astype(np.uint8))
            labels.append(character.digit)
    stacked = np.array(images, np.uint8).reshape(-1, SIDE, SIDE)
    return torch.from_numpy(stacked), torch.tensor(labels, dtype=torch.int64)
