"""Makes any picture of one handwritten digit look like an MNIST image.

Files, the HTTP service and the drawing page all come through here, so that the same drawing gets the same
answer everywhere.

MNIST was made by scaling black and white digits to fit a box of 20 x 20 pixels, keeping their shape and
antialiasing them, and centring the box in 28 x 28 by its centre of mass (http://yann.lecun.com/exdb/mnist).
Here the ink must be found first. An MNIST image passes unchanged but for specks and rare stroke widths.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnist_adder.errors import PictureError
from mnist_adder.inference import lines, paper
from mnist_adder.inference.morphology import (
    border,
    bounds,
    connected_components,
    crop,
    dilate_mask,
    disk_max_filter,
    median,
    pad,
    resize,
    share,
)
from mnist_adder.inference.picture import Picture, Plane, open_picture
from mnist_adder.types import SIDE

BOX = 20
"""Longer side of the digit in the image, in pixels."""
MIN_CONTRAST = 0.06
"""Least difference between ink and background, of a full range of 1."""
STROKE_WIDTHS = (1.3, 4.4)
"""Stroke widths left alone, in pixels of the box: 99 % of MNIST's training images lie here, median 2.4."""
THICKENED, THINNED = 2.2, 3.0
"""What thinner and thicker strokes are brought to."""

_MIN_INK_SIDE = 5  # a digit of fewer pixels cannot be told from a speck
_MIN_PART, _NEAR = 0.03, 0.5  # a part with less ink, beside the largest, or further away, is a speck
_MIN_CLOSE_PART, _CLOSE = 0.008, 0.15  # unless it lies this close; distances in sides of the largest
_MIN_DIGIT = 0.3  # a part of less ink, beside the largest, is no other digit
_MIN_FRAMED = 0.05  # a part with less ink, beside the largest, is not what a frame is drawn around
_ALIKE = 0.15  # how much two uprights of a form differ in their ends, in heights
_FLAT = 0.28  # height of an underline, beside its width
_STROKE_SIDE = 100  # strokes are widened and thinned at this resolution, five times the box's


class FoundDigit(NamedTuple):
    """The digit of a picture, as MNIST has it."""

    image: NDArray[np.float32]  # (28, 28) in [0, 1], ink bright on dark, the brightest pixel 1
    halves: tuple[NDArray[np.float32], ...] = ()  # if other ink as large stands beside it: left, right, alike
    shows_both: bool = False  # whether the image shows the ink of both halves


class _Split(NamedTuple):
    """Where other ink as large as the digit stands left or right of it."""

    column: int  # between the two
    shows_both: bool  # whether both are taken for parts of one digit


def preprocess(picture: Picture) -> NDArray[np.float32]:
    """Make a picture of one handwritten digit look like an MNIST image.

    Args:
        picture: what :func:`~mnist_adder.inference.picture.open_picture` takes: a path, bytes, a binary
            file, a Pillow image or an array; dark on light or light on dark, of any size.

    Returns:
        (28, 28) float32 in [0, 1], ink bright on dark, the brightest pixel 1.

    Raises:
        PictureError: it is no picture, or nothing on it stands out like a digit.
    """
    return find_digit(picture).image


def find_digit(picture: Picture) -> FoundDigit:
    """Make a picture look like an MNIST image; if it seems to show several digits, its halves as well.

    Arguments and errors are those of :func:`preprocess`.
    """
    brightness = open_picture(picture)
    signal = _subtract_background(brightness)
    ink, split = _cut_out_digit(signal)
    image = _to_image(ink)
    if split is None:
        return FoundDigit(image)
    left = np.arange(signal.plane.shape[1]) < split.column
    planes = np.where(left, signal.plane, 0), np.where(left, 0, signal.plane)
    sides = (signal._replace(plane=plane, peak=float(plane.max())) for plane in planes)
    try:
        halves = tuple(_to_image(_cut_out_digit(side)[0]) for side in sides)
    except PictureError:  # one of them is mostly a speck
        return FoundDigit(image)
    return FoundDigit(image, halves, split.shows_both)


def _to_image(ink: Plane) -> NDArray[np.float32]:
    return _centre(resize(_set_stroke_width(ink), BOX))


class _Signal(NamedTuple):
    """A picture less its background."""

    plane: Plane  # (H, W), near 0 on the background and positive on ink
    noise: float  # its standard deviation on the background
    peak: float  # how far the strongest ink stands out
    cut: bool  # whether the picture was cut to its ink, so that the digit touches its edges


def _subtract_background(brightness: Plane) -> _Signal:
    """Subtract the background, find out on which side of it the ink is, and measure ink and noise."""
    background, clean = _background(brightness)
    plane = brightness - background
    cut = False
    if not clean and paper.border_is_odd(plane):
        plane, cut = paper.subtract_background(brightness, plane)
    else:
        clean = True
    odd = 8 + plane.size // 10_000  # a few odd pixels do not count
    ordered = np.sort(plane, axis=None)
    low, high = float(ordered[odd]), float(ordered[-1 - odd])
    far = 0.3 * max(-low, high)
    if np.square(plane[plane < -far]).sum() > np.square(plane[plane > far]).sum():
        plane, high = -plane, -low
    if not clean:
        plane = lines.remove_ruling(plane, cut=cut)
        high = float(np.sort(plane, axis=None)[-1 - odd])
    background = np.abs(plane[~dilate_mask(plane > 0.4 * high, 2)])  # without the blurred edges of the ink
    rank = int(0.95 * background.size)  # not the median: JPEG leaves much of it even and the rest rippled
    noise = float(np.sort(background)[rank]) / 1.96 if background.size else 0.0
    if high < max(MIN_CONTRAST, 5 * noise):
        raise PictureError(
            "the picture is blank or too pale, nothing stands out from its background; "
            "write with a darker pen or photograph it in better light"
        )
    return _Signal(plane, noise, high, cut)


def _background(brightness: Plane) -> tuple[Plane, bool]:
    """The brightness without ink, (H, W) or a single value: even, or a fitted surface of second degree.

    The bool tells whether all of the border has that value, so that nothing needs to be looked for there.
    """
    ring = border(brightness)
    clean = bool((ring == ring[0]).all())
    even = ring[0] if clean else median(ring)
    if (clean or share(np.abs(ring - even) < 0.01) > 0.75) and share(np.abs(brightness - even) < 0.01) > 0.25:
        return np.full((1, 1), even, dtype=np.float32), clean
    y, x = (np.linspace(-1, 1, side, dtype=np.float32) for side in brightness.shape)
    y, x, step = y[:, None], x[None, :], -(-max(brightness.shape) // 64)
    ys, xs, values = y[::step], x[:, ::step], brightness[::step, ::step].ravel()
    terms = np.stack([t.ravel() for t in np.broadcast_arrays(1.0, ys, xs, ys * xs, ys**2, xs**2)], axis=1)
    outer = (np.maximum(np.abs(ys), np.abs(xs)) > 0.8).ravel()
    used = outer
    for turn in range(8):  # the border first, then all that lies near the surface
        near = terms[used]
        c = np.linalg.lstsq(near.T @ near, near.T @ values[used], rcond=None)[0]
        away = np.abs(values - terms @ c)
        pool = outer if turn < 3 else np.ones_like(outer)
        used = pool & (away <= max(2.5 * 1.4826 * float(np.median(away[pool])), 0.004))
    surface = (c[0] + c[1] * y + c[4] * y**2) + (c[2] * x + c[5] * x**2) + c[3] * y * x
    return np.asarray(surface, dtype=np.float32), False


def _cut_out_digit(signal: _Signal) -> tuple[Plane, _Split | None]:
    """Cut the digit out: (h, w) in [0, 1], 0 wherever there is no ink, ink on all four sides.

    Ink counts where it stands out of the noise and is connected with strong ink. The finer the picture,
    the more of the faint ink is blur: values are then drawn apart. At MNIST's own size none is changed.
    """
    plane, noise, peak, cut = signal
    level = float(median(plane[plane > 0.4 * peak]))
    strong = plane > max(0.5 * level, 3 * noise)
    top, bottom, left, right = bounds(strong)
    detail = max(0.0, 1 - 24 / max(bottom - top, right - left))
    floor = max(min(5 * noise, 0.5 * level), 0.25 * detail * level, 0.002)
    kept, split = _digit_parts(strong | (plane > floor), strong, plane, cut)
    ink = _cut(plane, kept)
    if max(plane.shape) > lines.SMALL:
        alone = lines.remove_attached(ink, level)
        if alone is not None:
            alone = pad(alone, 1, 1)
            strong = alone > max(0.5 * level, 3 * noise)
            ink = _cut(alone, _digit_parts(strong | (alone > floor), strong, alone, False)[0])
    if max(ink.shape) < _MIN_INK_SIDE:
        closer = " or cut closer" if max(plane.shape) > 2 * _MIN_INK_SIDE else ""
        raise PictureError(f"the ink is {ink.shape[1]} x {ink.shape[0]} pixels; write larger{closer}")
    full = (1 - detail) * float(ink.max()) + detail * level
    margin = 0.2 * detail
    return np.asarray(((ink / full - margin) / (1 - 2 * margin)).clip(0, 1), dtype=np.float32), split


def _cut(plane: Plane, mask: NDArray[np.bool_]) -> Plane:
    """The smallest part of a plane that has all of a mask, 0 where the mask is not."""
    top, bottom, left, right = bounds(mask)
    return np.where(mask[top:bottom, left:right], plane[top:bottom, left:right], np.float32(0))


def _digit_parts(
    mask: NDArray[np.bool_], strong: NDArray[np.bool_], plane: Plane, cut: bool
) -> tuple[NDArray[np.bool_], _Split | None]:
    """Of the connected parts of ``mask`` keep the digit's, dropping specks.

    What the edge cuts off goes unless the picture was ``cut`` to its ink. Frames around other parts go too.
    The part with the most strong ink is the digit; others near it with enough are, as the bar of a broken 5.
    A split tells that one of the others is as large as a digit and stands left or right of it.
    """
    parts = connected_components(mask)
    if parts.size == 1:
        return mask, None
    mass = parts.sums(np.where(strong, plane, 0))
    first, last = parts.boxes()
    height, width = mask.shape
    edge = np.any((first <= 0) | (last >= [height - 1, width - 1]), axis=1) & (not cut)
    if max(mask.shape) > lines.SMALL:
        large = lines.largest(mass, _MIN_FRAMED)
        around = _drawn_around(first[large], last[large])
        if not around.all():
            mass[large[around]] = 0
    digit = int(np.argmax(np.where(edge, 0.1 * mass, mass)))
    side = (last - first)[digit].max() + 1
    gap = np.maximum(first - last[digit], first[digit] - last).max(axis=1) / side
    near = (mass > _MIN_PART * mass[digit]) & (gap < _NEAR)
    close = (mass > _MIN_CLOSE_PART * mass[digit]) & (gap < _CLOSE)
    height = last[:, 0] - first[:, 0]
    beside = (first[:, 1] > last[digit, 1]) | (last[:, 1] < first[digit, 1])
    large = (mass > _MIN_DIGIT * mass[digit]) & (height > 0.5 * height[digit]) & (height >= _MIN_INK_SIDE)
    chosen, others = (near | close) & (~edge | edge[digit]), beside & large & ~edge
    if not others.any():
        return parts.mask(chosen), None
    other = int(np.argmax(np.where(others, mass, 0)))
    column = (min(last[digit, 1], last[other, 1]) + max(first[digit, 1], first[other, 1]) + 1) // 2
    return parts.mask(chosen), _Split(int(column), bool(chosen[other]))


def _drawn_around(first: NDArray[np.intp], last: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which parts, of boxes (P, 2) and (P, 2), are no digit, (P,).

    They are frames around another part, flat lines below one, and uprights of a form, left and right of one.
    """
    height, width = (last - first + 1).T
    below = first[:, None, 0] > (last[:, 0] - 0.1 * height)[None]
    overlap = (first[:, None, 1] < last[None, :, 1]) & (last[:, None, 1] > first[None, :, 1])
    flat = (height < _FLAT * width)[:, None] & (2 * height[:, None] < height[None])
    long = width[:, None] > 0.5 * width[None]
    thin = width < _FLAT * height
    apart = np.abs(np.stack([first[:, None, 0] - first[None, :, 0], last[:, None, 0] - last[None, :, 0]]))
    alike = thin[:, None] & thin[None] & (apart.max(axis=0) < _ALIKE * height[:, None])
    middle, tall = (first[:, 1] + last[:, 1]) / 2, height[None] > 0.25 * height[:, None]
    right_of, left_of = middle[None] > last[:, None, 1], middle[None] < first[:, None, 1]
    between = (right_of & tall)[:, None] & left_of[None]
    walls = alike & between.any(axis=2)
    return np.asarray(
        lines.enclosing(first, last)
        | (below & overlap & flat & long).any(axis=1)
        | walls.any(axis=1)
        | walls.any(axis=0)
    )


def _set_stroke_width(ink: Plane) -> Plane:
    """Thicken hairlines and thin marker strokes to what MNIST has; leave all others alone."""
    width = stroke_width(ink)
    factor = max(ink.shape) // _STROKE_SIDE
    if width < STROKE_WIDTHS[0]:
        if factor > 1:  # averaging would make hairlines fade
            ink = np.pad(ink, [(0, -side % factor) for side in ink.shape])
            ink = ink.reshape(len(ink) // factor, factor, -1, factor).max(axis=(1, 3))
        radius = (THICKENED - width) / 2 * _STROKE_SIDE / BOX
        changed = disk_max_filter(np.pad(resize(ink, _STROKE_SIDE), int(radius)), radius)
    elif width > STROKE_WIDTHS[1]:
        radius = min((width - THINNED) / 2, 0.3 * width) * _STROKE_SIDE / BOX  # never the whole stroke
        changed = 1 - disk_max_filter(1 - np.pad(resize(ink, _STROKE_SIDE), 1), radius)
    else:
        return ink
    return crop(changed, changed > 0.1 * changed.max())


def stroke_width(ink: Plane) -> float:
    """Mean width of the strokes in ``ink`` (h, w), in pixels once its longer side is 20.

    A stroke of length n and width w has area n w and an outline of 2 n; that of grey values is their
    total variation.
    """
    padded = pad(ink, 1, 1)
    down, right = padded[1:, :-1] - padded[:-1, :-1], padded[:-1, 1:] - padded[:-1, :-1]
    return float(2 * ink.sum() / np.hypot(down, right).sum() * (BOX / max(ink.shape)))


def _centre(box: Plane) -> NDArray[np.float32]:
    """Put the box into 28 x 28, its centre of mass in the middle to the pixel, all of it inside, up to 1."""
    image = np.zeros((SIDE, SIDE), dtype=np.float32)
    box = box / box.max()
    height, width = box.shape
    mass = float(box.sum())
    y = float(box.sum(axis=1) @ np.arange(height)) / mass
    x = float(box.sum(axis=0) @ np.arange(width)) / mass
    top = min(max(round(SIDE / 2 - y), 0), SIDE - height)
    left = min(max(round(SIDE / 2 - x), 0), SIDE - width)
    image[top : top + height, left : left + width] = box
    return image
