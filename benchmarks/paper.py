"""How well are digits read on real paper? ``python benchmarks/paper.py`` with the two folders of data named.

Every condition is a paper, a pen, a light and a camera, drawn here around digits that people have written:
half of them MNIST test images, half pen strokes of validation writers. MNIST_ADDER_DATA names the folder of
MNIST, MNIST_ADDER_STROKES that of the strokes. The same seed draws the same pictures, and all conditions show
the same digits. The counts go to results/paper.json.

    python benchmarks/paper.py                                    all conditions, the weights of the package
    python benchmarks/paper.py --run runs/x --output x.json       other weights
    python benchmarks/paper.py --only "printed box" --count 50    a few pictures of one; nothing is written
    python benchmarks/paper.py --sheet sheet.png                  shows 12 of each, framed by the answer
"""

from __future__ import annotations

import argparse
import hashlib
import io
import math
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import PIL
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from mnist_adder import environment
from mnist_adder.data.mnist import load_mnist
from mnist_adder.data.strokes import Stroke, load_characters
from mnist_adder.errors import PictureError
from mnist_adder.inference import Predictor
from mnist_adder.safe_io import write_json
from mnist_adder.types import NO_DIGIT

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "results" / "paper.json"
SURE = 0.9
"""An answer of a higher probability is a sure one."""

Random: TypeAlias = np.random.Generator
Plane: TypeAlias = NDArray[Any]  # of floats, (H, W), or (H, W, 3) of colours
Range: TypeAlias = tuple[float, float]
Colour: TypeAlias = tuple[float, float, float]  # red, green, blue in [0, 1]


# What people have written.

read_mnist = cache(load_mnist)
read_characters = cache(load_characters)


class Sample(NamedTuple):
    """A digit or a character as somebody has written it."""

    answer: int  # the digit, or NO_DIGIT
    source: str  # "mnist" or "pen"
    image: NDArray[np.uint8]  # (28, 28); of a pen (0, 0)
    strokes: list[Stroke]  # each (points, 2): x, y


def mnist_samples(random: Random, count: int) -> list[Sample]:
    """MNIST test images, drawn at random."""
    _, (_, _, images, labels) = read_mnist()
    chosen = random.permutation(len(images))[:count]
    return [Sample(int(labels[row]), "mnist", images[row], []) for row in chosen]


def pen_samples(random: Random, count: int, *, digits: bool) -> list[Sample]:
    """Strokes of validation writers, drawn at random: of digits, or of other characters."""
    held_out = [
        character
        for character in read_characters()
        if character.validation and (character.digit != NO_DIGIT) == digits
    ]
    return [
        Sample(held_out[row].digit, "pen", np.empty((0, 0), np.uint8), list(held_out[row].strokes))
        for row in random.permutation(len(held_out))[:count]
    ]


def draw_lines(lines: list[NDArray[Any]], shape: tuple[int, int], width: float) -> Plane:
    """Lines of a round pen, (H, W) in [0, 1], antialiased; points are x, y in pixels."""
    fine = 4
    image = Image.new("L", (shape[1] * fine, shape[0] * fine))
    draw, radius = ImageDraw.Draw(image), width * fine / 2
    for line in lines:
        points = [(float(x), float(y)) for x, y in line * fine]
        draw.line(points, fill=255, width=max(1, round(2 * radius)))
        for x, y in points:
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return np.asarray(image.reduce(fine), dtype=np.float32) / 255


def draw_ink(sample: Sample, size: int, width: float) -> Plane:
    """A sample's ink, (h, w) in [0, 1], cut to it, its longer side about ``size`` pixels.

    Strokes are as wide as this share of the size; those of an MNIST image are as they are.
    """
    ink = draw_strokes(sample.strokes, size, width) if sample.strokes else enlarge(sample.image, size)
    return cut(ink, ink > 0.1)


def draw_strokes(strokes: list[Stroke], size: int, width: float) -> Plane:
    """Strokes as a pen draws them."""
    points, pixels = np.concatenate(strokes), size * width
    low, scale = points.min(axis=0), (size - pixels) / max(1, np.ptp(points, axis=0).max())
    w, h = np.ceil((points.max(axis=0) - low) * scale + pixels + 2).astype(int)
    return draw_lines([(stroke - low) * scale + pixels / 2 + 1 for stroke in strokes], (h, w), pixels)


def enlarge(image: NDArray[np.uint8], size: int) -> Plane:
    """The ink of an MNIST image, its edges as sharp as a pen's."""
    plane = Image.fromarray(image)
    plane = plane.crop(plane.getbbox())
    scale = size / max(plane.size)
    if scale != 1:
        w, h = (max(1, round(side * scale)) for side in plane.size)
        plane = plane.resize((w, h), Image.Resampling.BICUBIC)
        plane = plane.filter(ImageFilter.GaussianBlur(0.35 * max(0, scale - 1)))
    ink = np.asarray(plane, dtype=np.float32) / 255
    return ((ink - 0.45) * max(1, 0.8 * scale) + 0.45).clip(0, 1)


def cut(plane: Plane, mask: NDArray[np.bool_], margin: int = 0) -> Plane:
    """Cut a plane to what is true in the mask, and a margin around it."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, left = max(0, rows[0] - margin), max(0, columns[0] - margin)
    return plane[top : rows[-1] + 1 + margin, left : columns[-1] + 1 + margin]


# Pens.


class Pen(NamedTuple):
    """What is written with; ranges are drawn from."""

    width: Range  # of a stroke, a share of the digit's longer side
    contrast: Range  # how much darker than the paper, a share of its brightness
    colour: Colour = (0.05, 0.05, 0.07)
    grain: float = 0.0  # how much of the ink the paper's grain leaves out
    skips: float = 0.0  # share of the ink that is missing, in gaps


FINE = Pen((0.045, 0.06), (0.75, 0.92))
BALL = Pen((0.05, 0.075), (0.55, 0.75), (0.1, 0.16, 0.5))
FELT = Pen((0.085, 0.125), (0.8, 0.95))
PENCIL = Pen((0.05, 0.08), (0.35, 0.55), (0.25, 0.25, 0.27), grain=0.35)
FAINT = Pen((0.05, 0.075), (0.18, 0.3), (0.3, 0.3, 0.32), grain=0.3)
CHALK = Pen((0.08, 0.12), (0.75, 0.95), (0.95, 0.95, 0.92), grain=0.5)
MOUSE = Pen((0.05, 0.1), (1, 1), (0, 0, 0))
PAINT = Pen((0.05, 0.1), (1, 1), (1, 1, 1))
SKIPPING = Pen((0.06, 0.09), (0.55, 0.75), (0.1, 0.16, 0.5), skips=0.12)


def brightness(colour: Plane | Colour) -> Any:
    """What the eye sees of a colour, as ITU-R 601 weights it."""
    return np.asarray(colour, dtype=np.float32) @ np.array([0.299, 0.587, 0.114], dtype=np.float32)


def smooth_noise(random: Random, shape: tuple[int, int], cell: float) -> Plane:
    """A field (H, W) of mean 0 and deviation about 1, without detail finer than ``cell`` pixels."""
    h, w = (math.ceil(side / cell) + 3 for side in shape)
    coarse = Image.fromarray(random.standard_normal((h, w), dtype=np.float32))
    fine = coarse.resize((math.ceil(w * cell), math.ceil(h * cell)), Image.Resampling.BICUBIC)
    return np.asarray(fine)[: shape[0], : shape[1]]


# The page: a digit's place on a sheet, and all that is on it.


class Page:
    """A picture in the making: an empty sheet, and where the digit goes and with which pen.

    The steps below draw on ``picture``, (H, W, 3) in [0, 1], one after the other.
    """

    def __init__(self, random: Random, condition: Condition, samples: list[Sample]) -> None:
        self.random = random
        self.pen = condition.pens[random.integers(len(condition.pens))]
        paper = condition.papers[random.integers(len(condition.papers))]
        self.size = int(random.integers(*condition.size))  # the digit's longer side; lengths are shares of it
        self.line_width = self.size * (width := random.uniform(*self.pen.width))
        ink = np.zeros((self.size, self.size), dtype=np.float32)
        if samples:
            inks = [draw_ink(sample, self.size, width) for sample in samples]
            ink = join(random, inks, touching=condition.written == "touching digits")
        margins = np.round(self.size * random.uniform(*condition.margins, 4)).astype(int)
        self.top, bottom, self.left, right = margins.tolist()
        self.height, self.width = ink.shape
        self.ink: Plane = np.pad(ink, ((self.top, bottom), (self.left, right)))
        self.shape = self.ink.shape
        self.contrast = random.uniform(*self.pen.contrast)
        self.paper = brightness(paper)
        self.picture: Plane = np.full((*self.shape, 3), paper, dtype=np.float32)

    def cover(self, coverage: Plane, colour: Colour, contrast: float) -> None:
        """Put a colour on what is there: ``contrast`` is the change of the bare paper's brightness."""
        opacity = contrast  # of chalk and white paint
        if self.paper > 0.5:
            opacity = contrast * self.paper / (self.paper - brightness(colour))
        share = (min(1.0, opacity) * coverage)[..., None]
        self.picture = self.picture * (1 - share) + share * np.asarray(colour, dtype=np.float32)

    def tilted(self, degrees: float) -> tuple[Plane, Plane]:
        """Coordinates y, x (H, W) from the digit's middle, turned by an angle."""
        angle, (y, x) = math.radians(degrees), np.ogrid[: self.shape[0], : self.shape[1]]
        y, x = y - (self.top + self.height / 2), x - (self.left + self.width / 2)
        return y * math.cos(angle) + x * math.sin(angle), x * math.cos(angle) - y * math.sin(angle)


Step: TypeAlias = Callable[[Page], None]


def write(page: Page) -> None:
    """Write the digit with the page's pen."""
    random, ink = page.random, page.ink
    if page.pen.grain:
        ink = ink * (1 - page.pen.grain * (0.5 + 0.7 * smooth_noise(random, page.shape, 1.5)).clip(0, 1))
    if page.pen.skips:
        noise = smooth_noise(random, page.shape, 0.09 * page.size)
        level = np.quantile(noise[ink > 0.5], page.pen.skips)
        ink = ink * ((noise - level) * 8 + 0.5).clip(0, 1)
    page.cover(ink, page.pen.colour, page.contrast)


def stripe(distance: Plane, width: float) -> Plane:
    """A line of this width where the distance is 0, antialiased."""
    return (width / 2 + 0.5 - np.abs(distance)).clip(0, min(1.0, width))


# What is printed on the paper, or drawn around the digit.


def ruled(page: Page, strength: Range, squares: bool = False) -> None:
    """Lines, a digit one to two spacings high, as strong as a share of the pen's contrast."""
    random = page.random
    spacing = page.size / random.uniform(1, 2)
    share, width = random.uniform(*strength), max(1.0, spacing * random.uniform(0.025, 0.05))
    colour = [(0.2, 0.3, 0.65), (0.15, 0.15, 0.15), (0.2, 0.3, 0.25)][random.integers(3)]
    y, x = page.tilted(random.uniform(-2, 2))
    offset = random.uniform(0, spacing) if random.random() < 0.5 else page.height / 2  # on the line
    lines = stripe((y - offset + spacing / 2) % spacing - spacing / 2, width)
    if squares:
        offset = random.uniform(0, spacing)
        lines = np.maximum(lines, stripe((x - offset + spacing / 2) % spacing - spacing / 2, width))
    page.cover(lines, colour, share * page.contrast)


def box(page: Page, touching: bool = False) -> None:
    """A printed frame around the digit, which leaves a gap or touches and crosses one or two sides."""
    random = page.random
    y, x = page.tilted(random.uniform(-3, 3))
    gaps = random.uniform(0.12, 0.28, 4) * page.size
    if touching:
        sides = random.choice(4, random.integers(1, 3), replace=False)
        gaps[sides] = random.uniform(-0.1, 0.01, len(sides)) * page.size
    top, bottom, left, right = gaps
    y, x = y - (bottom - top) / 2, x - (right - left) / 2
    half_height, half_width = (page.height + top + bottom) / 2, (page.width + left + right) / 2
    outline = np.maximum(np.abs(y) - half_height, np.abs(x) - half_width)
    page.cover(stripe(outline, page.size * random.uniform(0.012, 0.035)), *printed(page))


def printed(page: Page) -> tuple[Colour, float]:
    """Colour and contrast of a form's lines: from grey to stronger than the pen."""
    colour = [(0.05, 0.05, 0.05), (0.2, 0.2, 0.25), (0.1, 0.3, 0.35)][page.random.integers(3)]
    return colour, page.contrast * page.random.uniform(0.4, 1.1)


def cells(page: Page) -> None:
    """A comb of a form: upright lines left and right, those of neighbours, mostly with a base line."""
    random = page.random
    y, x = page.tilted(random.uniform(-2, 2))
    pitch = max(page.width * 1.15, page.size * random.uniform(0.8, 1.2))
    width = page.size * random.uniform(0.015, 0.035)
    x = x - random.uniform(-0.5, 0.5) * (pitch - page.width) * 0.8
    top, base = page.height / 2 + page.size * random.uniform(0.05, 0.25, 2)
    teeth = random.random() < 0.4  # short ones, open above
    reach = -page.height * random.uniform(0, 0.3) if teeth else top
    lines = stripe(x % pitch - pitch / 2, width) * (base - y + 0.5).clip(0, 1) * (y + reach + 0.5).clip(0, 1)
    if teeth or random.random() < 0.7:
        lines = np.maximum(lines, stripe(y - base, width))
    if not teeth and random.random() < 0.7:
        lines = np.maximum(lines, stripe(y + top, width))
    page.cover(lines, *printed(page))


def ring(page: Page) -> None:
    """A ring drawn around the digit by hand, with the same pen."""
    random = page.random
    turn = np.linspace(0, 2 * math.pi * random.uniform(0.97, 1.08), 90) + random.uniform(0, 2 * math.pi)
    wobble = 1 + 0.04 * np.sin(2 * turn + random.uniform(0, 6)) + 0.015 * np.linspace(-1, 1, 90)
    gap = page.size * random.uniform(0.12, 0.3)
    middle = np.array([page.left + page.width / 2, page.top + page.height / 2])
    half = np.array([max(page.width, 0.5 * page.height), page.height]) / 2 * 1.15 + gap
    line = np.stack([np.cos(turn), np.sin(turn)], axis=1) * wobble[:, None] * half + middle
    page.cover(draw_lines([line], page.shape, page.line_width), page.pen.colour, page.contrast)


def underline(page: Page) -> None:
    """One line under the digit, or two, drawn by hand with the same pen."""
    random = page.random
    left, right = page.left - np.array([1, -1]) * random.uniform(0.05, 0.4, 2) * page.size + [0, page.width]
    x = np.linspace(left, right, 40)
    below = page.top + page.height + page.size * random.uniform(0.04, 0.22)
    bend, slope = random.uniform(-0.03, 0.03), random.uniform(-0.08, 0.08)
    y = below + slope * (x - x.mean()) + bend * page.size * np.cos(np.linspace(-2, 2, 40))
    line = np.stack([x, y], axis=1)
    second = line + np.array([0, 0.1 * page.size])
    lines = [line, second] if random.random() < 0.25 else [line]
    page.cover(draw_lines(lines, page.shape, page.line_width), page.pen.colour, page.contrast)


def crumpled(page: Page) -> None:
    """Folds: the paper beside each reflects differently, and the fold itself is darker or lighter."""
    random = page.random
    shade = np.ones(page.shape, dtype=np.float32)
    for _ in range(random.integers(4, 9)):
        y, _ = page.tilted(random.uniform(0, 180))
        y = y - random.uniform(-0.6, 0.6) * max(page.shape) + 2 * smooth_noise(random, page.shape, 25)
        reach = page.size * random.uniform(0.2, 0.7)
        shade *= 1 + random.uniform(-0.09, 0.09) * np.sign(y) * np.exp(-np.abs(y) / reach)
        shade *= 1 + random.uniform(-0.12, 0.06) * np.exp(-((y / 1.5) ** 2))
    page.picture *= shade[..., None]


def smeared(page: Page) -> None:
    """Chalk that was wiped away before."""
    random = page.random
    smear = smooth_noise(random, page.shape, 0.4 * page.size) + smooth_noise(random, page.shape, 6)
    page.picture += 0.025 * np.abs(smear)[..., None]


# Light.


def lit(page: Page, darkest: Range) -> None:
    """Light that falls off to one side and to the corners; ``darkest`` is what is left of it."""
    random = page.random
    y, x = page.tilted(random.uniform(0, 360))
    slope = (y - y.min()) / (y.max() - y.min())
    vignette = (y**2 + x**2) / (y**2 + x**2).max()
    least = random.uniform(*darkest)
    page.picture *= (1 - (1 - least) * (0.8 * slope + 0.2 * vignette))[..., None].astype(np.float32)


def glare(page: Page) -> None:
    """A lamp's reflection, beside the digit or over some of it."""
    random = page.random
    y, x = page.tilted(random.uniform(0, 180))
    y = y - random.uniform(-0.8, 0.8) * page.size
    x = x - random.uniform(-0.8, 0.8) * page.size
    tall, wide = page.size * random.uniform(0.2, 0.5, 2)
    light = random.uniform(0.3, 0.65) * np.exp(-((y / tall) ** 2) - (x / wide) ** 2)
    page.picture *= 0.85
    page.picture += (1 - page.picture) * light[..., None].astype(np.float32)


def shadow(page: Page) -> None:
    """A hard shadow with a straight or a curved edge, 20 to 60 % darker, that crosses the digit or nearly."""
    random = page.random
    y, x = page.tilted(random.uniform(0, 360))
    y = y - random.uniform(-0.55, 0.55) * page.size
    if random.random() < 0.5:
        radius = page.size * random.uniform(0.8, 3)
        y = np.hypot(y + radius, x) - radius
    dark = random.uniform(0.2, 0.6) * (0.5 - y / random.uniform(1, 5)).clip(0, 1)
    page.picture *= (1 - dark)[..., None].astype(np.float32)


def desk(page: Page) -> None:
    """The sheet ends before the picture does, on one side or two: a dark or a brown wooden desk."""
    random = page.random
    height, width = page.shape
    margins = [page.top, page.left, height - page.top - page.height, width - page.left - page.width]
    y, x = page.tilted(random.uniform(-5, 5))
    ends = [-y - page.height / 2, -x - page.width / 2, y - page.height / 2, x - page.width / 2]
    side = random.integers(4)
    sides = [side] if random.random() < 0.6 else [side, (side + 1) % 4]
    away = np.max([ends[side] - margins[side] * random.uniform(0.5, 0.95) for side in sides], axis=0)
    grain = smooth_noise(random, (height, width), 30) + 4 * y / page.size
    if random.random() < 0.5:
        colour, shade = np.array([0.5, 0.34, 0.2]) * random.uniform(0.6, 1.2), 1 + 0.12 * np.sin(9 * grain)
    else:
        colour, shade = np.full(3, random.uniform(0.05, 0.4)), 1 + 0.04 * grain
    shade = shade * (1 - 0.5 * np.exp(-np.maximum(away, 0) / (0.04 * page.size)))  # the sheet's shadow
    share = (away + 0.5).clip(0, 1)[..., None]
    page.picture = (page.picture * (1 - share) + colour * shade[..., None] * share).astype(np.float32)


# Cameras and files.


def blurred(page: Page, radius: Range) -> None:
    """Out of focus; the radius is a share of the digit's size."""
    deviation = page.size * page.random.uniform(*radius)
    image = to_image(page.picture).filter(ImageFilter.GaussianBlur(deviation))
    page.picture = np.asarray(image, dtype=np.float32) / 255


def noisy(page: Page, strength: Range) -> None:
    """A sensor's noise, more in brightness than in colour."""
    random, deviation = page.random, page.random.uniform(*strength)
    grey, colours = (random.standard_normal((*page.shape, n), dtype=np.float32) for n in (1, 3))
    page.picture = page.picture + deviation * (grey + 0.5 * colours)


def jpeg(page: Page, quality: Range) -> None:
    """Write and read it as JPEG."""
    file = io.BytesIO()
    to_image(page.picture).save(file, "JPEG", quality=int(page.random.uniform(*quality)))
    page.picture = np.asarray(Image.open(file), dtype=np.float32) / 255


def scan(page: Page) -> None:
    """A flat-bed scanner."""
    blurred(page, (0.003, 0.007))
    noisy(page, (0.003, 0.012))
    jpeg(page, (70, 92))


def photo(page: Page) -> None:
    """A telephone in good light."""
    lit(page, (0.75, 0.95))
    page.picture *= (1, page.random.uniform(0.95, 1), page.random.uniform(0.86, 1))
    blurred(page, (0.005, 0.012))
    noisy(page, (0.006, 0.018))
    jpeg(page, (72, 92))


def taken(page: Page) -> None:
    """As it is, scanned, or photographed."""
    step = [None, scan, photo][page.random.integers(3)]
    if step:
        step(page)


def black_and_white(page: Page) -> None:
    """Only ink and paper, without grey; the ink is the darker."""
    middle = page.paper * (1 - page.contrast / 2)
    page.picture = np.repeat(brightness(page.picture)[..., None] > middle, 3, axis=2).astype(np.float32)


def stretched(page: Page) -> None:
    """A portrait or landscape picture squeezed into a square, or the other way round."""
    height, width = page.shape
    wider = math.sqrt(page.random.choice([3 / 4, 4 / 3, 9 / 16, 16 / 9]))
    image = to_image(page.picture).resize((round(width * wider), round(height / wider)))
    page.picture = np.asarray(image, dtype=np.float32) / 255


def cropped(page: Page, margin: int) -> None:
    """Cut to the ink and a margin of so many pixels."""
    page.picture = cut(page.picture, page.ink > 0.3, margin)


def to_image(picture: Plane) -> Image.Image:
    """Eight bits a colour."""
    return Image.fromarray((picture.clip(0, 1) * 255 + 0.5).astype(np.uint8))


# Conditions.

WHITE, CREAM, GREY = (0.97, 0.97, 0.97), (0.95, 0.93, 0.88), (0.85, 0.85, 0.85)
SLATES = ((0.1, 0.2, 0.15), (0.1, 0.1, 0.11), (0.16, 0.19, 0.2))


class Condition(NamedTuple):
    """What the pictures of a kind have in common; of several pens or papers each has one at random."""

    before: tuple[Step, ...] = ()  # what is on the paper when it is written on
    after: tuple[Step, ...] = (taken,)  # what happens to it then
    pens: tuple[Pen, ...] = (FINE, BALL, FELT)
    papers: tuple[Colour, ...] = (WHITE, CREAM, GREY)
    size: tuple[int, int] = (60, 170)  # the digit's longer side, in pixels
    margins: Range = (0.3, 0.9)  # paper on each side, in sizes of the digit
    written: str = "a digit"  # or "MNIST", "two digits", "touching digits", "no digit", "nothing"


def lines(low: float, high: float, *, squares: bool = False) -> tuple[Step]:
    """Ruled or squared paper, its lines as strong as these shares of the pen's contrast."""
    return (partial(ruled, strength=(low, high), squares=squares),)


CONDITIONS = {
    "MNIST test image": Condition(written="MNIST"),
    "fine liner": Condition(pens=(FINE,)),
    "ballpen": Condition(pens=(BALL,)),
    "felt marker": Condition(pens=(FELT,)),
    "pencil": Condition(pens=(PENCIL,)),
    "faint pencil": Condition(pens=(FAINT,)),
    "skipping pen": Condition(pens=(SKIPPING,)),
    "chalk": Condition((smeared,), (photo,), pens=(CHALK,), papers=SLATES),
    "drawn with a mouse": Condition(after=(black_and_white,), pens=(MOUSE,), papers=(WHITE,)),
    "drawn with a mouse, white on black": Condition(after=(), pens=(PAINT,), papers=((0, 0, 0),)),
    "scan": Condition(after=(scan,)),
    "black and white scan": Condition(after=(scan, black_and_white)),
    "strong JPEG": Condition(after=(taken, partial(jpeg, quality=(8, 25)))),
    "blur": Condition(after=(partial(blurred, radius=(0.02, 0.04)), scan)),
    "noise": Condition(after=(photo, partial(noisy, strength=(0.04, 0.1)))),
    "far away": Condition(after=(photo,), size=(24, 50), margins=(2, 4)),
    "uneven light": Condition(after=(partial(lit, darkest=(0.4, 0.7)), photo)),
    "glare": Condition(after=(glare, photo)),
    "crumpled": Condition(after=(crumpled, photo)),
    "hard shadow": Condition(after=(shadow, photo)),
    "sheet on a dark desk": Condition(after=(desk, photo)),
    "stretched": Condition(after=(taken, stretched)),
    "cut to the ink": Condition(after=(partial(cropped, margin=0),), size=(20, 60)),
    "one pixel around the ink": Condition(after=(partial(cropped, margin=1),), size=(20, 60)),
    "printed box": Condition((box,), margins=(0.4, 0.9)),
    "touching box": Condition((partial(box, touching=True),), margins=(0.4, 0.9)),
    "form cells": Condition((cells,), margins=(0.5, 1.3)),
    "ring": Condition((ring,), margins=(0.6, 1)),
    "underlined": Condition((underline,)),
    "ruled, 20 to 35 %": Condition(lines(0.2, 0.35)),
    "ruled, 35 to 50 %": Condition(lines(0.35, 0.5)),
    "ruled, 50 to 60 %": Condition(lines(0.5, 0.6)),
    "squared, 20 to 35 %": Condition(lines(0.2, 0.35, squares=True)),
    "squared, 35 to 50 %": Condition(lines(0.35, 0.5, squares=True)),
    "squared, 50 to 60 %": Condition(lines(0.5, 0.6, squares=True)),
    "pencil on ruled paper": Condition(lines(0.4, 0.6), pens=(PENCIL,)),
    "ballpen on dark squares": Condition(lines(0.25, 0.5, squares=True), pens=(BALL,)),
    "two digits apart": Condition(written="two digits"),
    "two digits touching": Condition(written="touching digits"),
    "letters and signs": Condition(written="no digit"),
    "blank paper": Condition(written="nothing"),
}


def compose(random: Random, condition: Condition, samples: list[Sample]) -> Image.Image:
    """Draw a picture of what somebody has written."""
    if condition.written == "MNIST":
        return Image.fromarray(samples[0].image)
    page = Page(random, condition, samples)
    for step in (*condition.before, write, *condition.after):
        step(page)
    return to_image(page.picture)


def join(random: Random, inks: list[Plane], *, touching: bool) -> Plane:
    """One ink, or two beside each other on one line with a gap between them or none."""
    if len(inks) == 1:
        return inks[0]
    height = max(len(ink) for ink in inks)
    left, right = (np.pad(ink, ((height - len(ink), 0), (0, 0))) for ink in inks)
    gap = round(random.uniform(0.12, 0.4) * height)
    if touching:  # the right one is moved until they overlap by two pixels in one row
        rows = (left > 0.5).any(axis=1) & (right > 0.5).any(axis=1)
        room = np.argmax(left[:, ::-1] > 0.5, axis=1) + np.argmax(right > 0.5, axis=1)
        gap = -int(room[rows].min()) - 2
    start = left.shape[1] + gap
    joined = np.zeros((height, start + right.shape[1]), dtype=np.float32)
    joined[:, : left.shape[1]] = left
    joined[:, start:] = np.maximum(joined[:, start:], right)
    return joined


# The measure.


def samples_of(written: str, count: int, seed: int) -> list[list[Sample]]:
    """What is written on each picture: of digits, MNIST's and pen-written ones take turns."""
    random = np.random.default_rng(seed)
    if written == "nothing":
        return [[] for _ in range(count)]
    if written == "MNIST":
        return [[sample] for sample in mnist_samples(random, count)]
    if written == "no digit":
        return [[sample] for sample in pen_samples(random, count, digits=False)]
    written_by_pen = pen_samples(random, count + 1, digits=True)
    turns = zip(mnist_samples(random, count + 1), written_by_pen, strict=False)
    digits = [sample for turn in turns for sample in turn]
    if written == "a digit":
        return [[sample] for sample in digits[:count]]
    return [[digits[row], digits[row + 2]] for row in range(count)]  # both of MNIST, or of a pen


def pictures(name: str, count: int, seed: int) -> Iterator[tuple[list[Sample], Image.Image]]:
    """Draw a condition's pictures, each with what is written on it; the same whatever else is drawn."""
    condition = CONDITIONS[name]
    for row, samples in enumerate(samples_of(condition.written, count, seed)):
        random = np.random.default_rng([seed, zlib.crc32(name.encode()), row])
        yield samples, compose(random, condition, samples)


RIGHT = ("right", "right_mnist", "right_pen", "right_is_digit")
COUNTS = (*RIGHT, "refused", "flagged", "wrong_sure", "wrong_sure_is_digit")


def outcome(predictor: Predictor, samples: list[Sample], picture: Image.Image) -> set[str]:
    """What is counted of the answer; where the picture shows no single digit every answer is wrong."""
    try:
        prediction = predictor.predict(picture, 0)
    except PictureError:
        return {"refused"}
    right = len(samples) == 1 and prediction.digit == samples[0].answer
    wrong_sure = not right and max(prediction.digit_probabilities) > SURE
    is_digit = prediction.is_digit
    found = {
        "right": right,
        "right_mnist": right and samples[0].source == "mnist",
        "right_pen": right and samples[0].source == "pen",
        "right_is_digit": right and is_digit,
        "flagged": not is_digit,
        "wrong_sure": wrong_sure,
        "wrong_sure_is_digit": wrong_sure and is_digit,
    }
    return {name for name, happened in found.items() if happened}


def draw_sheet(shown: dict[str, list[tuple[Image.Image, str]]]) -> Image.Image:
    """A row for each condition, of pictures with the colours of their frames."""
    side, columns = 100, max(map(len, shown.values()))
    sheet = Image.new("RGB", (columns * (side + 8), len(shown) * (side + 22)), "white")
    for row, (name, framed) in enumerate(shown.items()):
        top = row * (side + 22)
        ImageDraw.Draw(sheet).text((4, top), name, fill="black")
        for column, (picture, colour) in enumerate(framed):
            small = picture.convert("RGB")
            small.thumbnail((side, side))
            sheet.paste(ImageOps.expand(small, 3, colour), (column * (side + 8), top + 14))
    return sheet


def parse() -> argparse.Namespace:
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument("--run", help="a run folder; default: the package's weights")
    parser.add_argument("--only", action="append", choices=CONDITIONS, metavar="CONDITION")
    parser.add_argument("--count", type=int, default=250, help="pictures a condition")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sheet", type=Path, help="a PNG file of some pictures of each condition")
    parser.add_argument("--output", type=Path, help="default: results/paper.json, without --only")
    return parser.parse_args()


def main() -> None:
    arguments = parse()
    count, seed, predictor = arguments.count, arguments.seed, Predictor(arguments.run)
    rows: dict[str, dict[str, int]] = {}
    shown: dict[str, list[tuple[Image.Image, str]]] = {}
    for name in arguments.only or CONDITIONS:
        counted: Counter[str] = Counter()
        shown[name] = []
        for samples, picture in pictures(name, count, seed):
            found = outcome(predictor, samples, picture)
            counted.update(found)
            if len(shown[name]) < 12:
                good = "green" if found & {"right", "flagged"} else "red"
                shown[name].append((picture, "grey" if "refused" in found else good))
        rows[name] = {"pictures": count, **{kind: counted[kind] for kind in COUNTS}}
        print(f"{name:34}", *(f"{kind} {100 * counted[kind] / count:.1f} " for kind in COUNTS), flush=True)
    if arguments.sheet:
        draw_sheet(shown).save(arguments.sheet)
    if output := arguments.output or (None if arguments.only else RESULTS):
        results = {
            "seed": seed,
            "weights": predictor.folder.name,
            "model_sha256": hashlib.sha256((predictor.folder / "model.onnx").read_bytes()).hexdigest(),
            "commit": environment.source_commit(),
            "device": environment.describe_device(torch.device("cpu")),
            "versions": {**environment.versions(), "pillow": PIL.__version__},
            "conditions": rows,
        }
        write_json(output, results)


if __name__ == "__main__":
    main()
