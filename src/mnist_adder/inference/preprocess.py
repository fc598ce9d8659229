"""Any picture of one handwritten digit -> an image as MNIST has them.

A picture comes in, in any of the ways ``picture`` opens; a float32 array (28, 28) in [0, 1] goes out, ink
bright on dark. Next is the predictor. Files, the HTTP service and the drawing page all come through here,
so that the same drawing gets the same answer everywhere.

MNIST was made by scaling black and white digits to fit a box of 20 x 20 pixels, keeping their shape and
antialiasing them, and centring the box in 28 x 28 by its centre of mass (http://yann.lecun.com/exdb/mnist).
Here the ink must be found first: the ground it lies on is fitted and taken away, then noise and specks.
An MNIST image passes through unchanged.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mnist_adder.errors import PictureError
from mnist_adder.inference.picture import Picture, Plane, open_picture
from mnist_adder.task import SIDE

BOX = 20
"""Longer side of the digit in the image, in pixels."""
MIN_CONTRAST = 0.06
"""Least difference between ink and ground, of a full range of 1: 15 grey levels."""
STROKE_WIDTHS = (1.3, 4.4)
"""Stroke widths left alone, in pixels of the 20 x 20 box: 99 % of MNIST's training images lie here."""
THICKENED, THINNED = 2.2, 3.0
"""What strokes beyond :data:`STROKE_WIDTHS` are brought to; the median of MNIST is 2.4."""

_STROKE_SIDE = 100  # strokes are widened and thinned at this resolution, five times the box's
_MIN_INK_SIDE = 5  # a digit of fewer pixels cannot be told from a speck
_MIN_PART = 0.03  # a part with less ink than this, beside the largest, is a speck
_MIN_CLOSE_PART = 0.008  # unless it lies close by


def preprocess(picture: Picture) -> NDArray[np.float32]:
    """Make a picture of one handwritten digit look like an MNIST image.

    Args:
        picture: what :func:`~mnist_adder.inference.picture.open_picture` takes: a path, bytes, a binary
            file, a Pillow image or an array (H, W); dark on light or light on dark, of any size.

    Returns:
        (28, 28) float32 in [0, 1], ink bright on dark, the brightest pixel 1.

    Raises:
        PictureError: it is no picture, or nothing on it stands out like a digit.
    """
    ink = _find_ink(open_picture(picture))
    return _centre(_fit_box(_set_stroke_width(ink)))


class _Signal(NamedTuple):
    """A picture less its ground: ``plane`` is 0 on the ground and positive on ink."""

    plane: Plane  # (H, W)
    noise: float  # its standard deviation on the ground
    peak: float  # how far the strongest ink stands out


def _find_ink(brightness: Plane) -> Plane:
    """Cut the digit out: (h, w) in [0, 1], 0 wherever there is no ink, ink on all four sides.

    Ink counts where it stands out of the noise and hangs together with something half as strong as the
    ink is on the whole. In large pictures faint ink is blur, and values are drawn towards 0 and 1.
    """
    signal = _stand_out(brightness)
    candidates = signal.plane[signal.plane > 0.4 * signal.peak]
    level = float(np.median(candidates))
    strong = signal.plane > max(0.5 * level, 3 * signal.noise)
    detail = _detail(strong)
    floor = max(3 * signal.noise, 0.25 * detail * level, 0.002)
    kept = _digit_parts((signal.plane > floor) | strong, strong, signal.plane)
    if not kept.any():
        raise PictureError("the picture shows only specks; write the digit larger or cut the picture closer")
    rows, columns = np.nonzero(kept)
    window = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    ink = np.where(kept, signal.plane, 0)[window]
    if max(ink.shape) < _MIN_INK_SIDE:
        raise PictureError(
            f"the ink is only {ink.shape[1]} x {ink.shape[0]} pixels; write the digit larger or scan it finer"
        )
    top = (1 - detail) * float(ink.max()) + detail * level
    margin = 0.2 * detail
    return np.clip((ink / top - margin) / (1 - 2 * margin), 0, 1).astype(np.float32)


def _detail(strong: NDArray[np.bool_]) -> float:
    """How much finer the picture is than MNIST: 0 for a digit of 24 pixels or less, towards 1 beyond."""
    rows, columns = np.nonzero(strong)
    side = max(int(np.ptp(rows)), int(np.ptp(columns))) + 1 if rows.size else 1
    return max(0.0, 1 - 24 / side)


def _stand_out(brightness: Plane) -> _Signal:
    """Take the ground away and find out which side of it the ink is on."""
    signal = _measure(brightness - _ground(brightness))
    if False:
        signal = _measure(_smooth(signal.plane))
    if signal.peak < max(MIN_CONTRAST, 5 * signal.noise):
        raise PictureError(
            "the picture is blank or too pale: nothing stands out from its ground; "
            "write with a darker pen or photograph it in better light"
        )
    return signal


def _measure(difference: Plane) -> _Signal:
    """Turn the ink positive, and measure it and the noise; a few odd pixels do not count."""
    odd = 8 + difference.size // 10_000
    ordered = np.partition(difference, (odd, difference.size - 1 - odd), axis=None)
    low, high = float(ordered[odd]), float(ordered[-1 - odd])
    far = 0.3 * max(-low, high)
    dark = float(np.square(difference[difference < -far]).sum())
    light = float(np.square(difference[difference > far]).sum())
    plane, peak = (-difference, -low) if dark > light else (difference, high)
    ground = plane[plane < 0.5 * peak]
    noise = 1.4826 * float(np.median(np.abs(ground))) if ground.size else 0.0
    return _Signal(plane, noise, peak)


def _smooth(plane: Plane) -> Plane:
    """Average each pixel with its neighbours, weights 1 2 1 either way."""
    padded = np.pad(plane, 1, mode="edge")
    rows = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4
    return (rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:]) / 4


def _ground(brightness: Plane) -> Plane:
    """The brightness the picture would have without ink: even, or a fitted surface of second degree."""
    ring = np.concatenate([brightness[0], brightness[-1], brightness[1:-1, 0], brightness[1:-1, -1]])
    even = float(np.median(ring))
    if np.mean(np.abs(ring - even) < 0.01) > 0.75 and np.mean(np.abs(brightness - even) < 0.01) > 0.25:
        return np.full_like(brightness, even)
    height, width = brightness.shape
    y, x = np.linspace(-1, 1, height, dtype=np.float32), np.linspace(-1, 1, width, dtype=np.float32)
    step = -(-max(height, width) // 64)
    sample, ys, xs = brightness[::step, ::step], y[::step, None], x[None, ::step]
    terms = np.stack([t.ravel() for t in np.broadcast_arrays(1.0, ys, xs, ys * xs, ys**2, xs**2)], axis=1)
    outer = (np.maximum(np.abs(ys), np.abs(xs)) > 0.8).ravel()
    values = sample.ravel()
    used, c = outer, np.zeros(6)
    for turn in range(8):  # the border first, then all that lies near the surface
        near = terms[used]
        c = np.linalg.lstsq(near.T @ near, near.T @ values[used], rcond=None)[0]
        away = np.abs(values - terms @ c)
        of = outer if turn < 3 else np.ones_like(outer)
        used = of & (away <= max(2.5 * 1.4826 * float(np.median(away[of])), 0.004))
    y, x = y[:, None], x[None, :]
    surface = c[0] + c[1] * y + c[2] * x + c[3] * y * x + c[4] * y**2 + c[5] * x**2
    return np.asarray(surface, dtype=np.float32)


class _Runs(NamedTuple):
    """The horizontal runs of a mask, R of them, counted along its rows laid end to end."""

    starts: NDArray[np.intp]  # (R,)
    ends: NDArray[np.intp]  # (R,), one past the last pixel
    parts: NDArray[np.intp]  # (R,): runs that hang together, corners included, share a number 0..P-1


def _digit_parts(mask: NDArray[np.bool_], strong: NDArray[np.bool_], ink: Plane) -> NDArray[np.bool_]:
    """Of the connected parts of ``mask`` keep the digit's, dropping specks and what the edge cuts off.

    The part with the most ink is the digit. Another belongs to it if it has a share of the ink that is
    worth mentioning and lies near, as the bar of a broken 5 does.
    """
    padded = np.pad(mask, ((0, 0), (1, 1)))
    runs = _label(padded)
    kept = np.zeros(padded.size + 1, dtype=np.int8)
    if runs.starts.size:
        chosen = _choose(runs, np.pad(np.where(strong, ink, 0), ((0, 0), (1, 1))))[runs.parts]
        kept[runs.starts[chosen]] = 1
        kept[runs.ends[chosen]] = -1
    inside: NDArray[np.bool_] = kept[:-1].cumsum(dtype=np.int8).reshape(padded.shape)[:, 1:-1] > 0
    return inside


def _choose(runs: _Runs, ink: Plane) -> NDArray[np.bool_]:
    """Which parts are the digit's, (P,); ``ink`` (H, W + 2) is 0 where it is not strong."""
    count, (height, width) = int(runs.parts.max()) + 1, ink.shape
    total = np.concatenate([[0.0], ink.cumsum(dtype=np.float64)])
    mass = np.bincount(runs.parts, total[runs.ends] - total[runs.starts], count)
    low = np.full((count, 2), max(height, width))  # first row and column of each part
    high = np.zeros((count, 2), dtype=np.intp)  # last row and column
    np.minimum.at(low, runs.parts, np.stack(np.divmod(runs.starts, width), axis=1))
    np.maximum.at(high, runs.parts, np.stack(np.divmod(runs.ends - 1, width), axis=1))
    cut = (low <= (0, 1)).any(axis=1) | (high >= (height - 1, width - 2)).any(axis=1)
    digit = int(np.argmax(np.where(cut, 0.1 * mass, mass)))
    side = float((high[digit] - low[digit]).max()) + 1
    gap = np.maximum(low - high[digit], low[digit] - high).max(axis=1) / side
    near = (mass > _MIN_PART * mass[digit]) & (gap < 0.5)
    close = (mass > _MIN_CLOSE_PART * mass[digit]) & (gap < 0.15)
    chosen: NDArray[np.bool_] = (near | close) & (~cut | cut[digit])
    return chosen


def _label(padded: NDArray[np.bool_]) -> _Runs:
    """Find the connected parts of a mask whose first and last columns are empty."""
    width = padded.shape[1]
    change = np.flatnonzero(np.diff(padded.ravel().astype(np.int8), prepend=0))
    starts, ends = change[::2], change[1::2]
    first = np.searchsorted(ends, starts + width, side="left")  # the runs below that touch each run
    below = np.searchsorted(starts, ends + width, side="right") - first
    upper = np.repeat(np.arange(starts.size), below)
    lower = np.arange(upper.size) - np.repeat(below.cumsum() - below - first, below)
    root = np.arange(starts.size)
    while True:  # each turn joins neighbouring trees and flattens them, so that few are needed
        least = np.minimum(root[upper], root[lower])
        joined = root.copy()
        np.minimum.at(joined, root[upper], least)
        np.minimum.at(joined, root[lower], least)
        joined = joined[joined]
        if np.array_equal(joined, root):
            return _Runs(starts, ends, np.unique(root, return_inverse=True)[1].reshape(-1))
        root = joined


def _set_stroke_width(ink: Plane) -> Plane:
    """Thicken hairlines and thin marker strokes to what MNIST has; leave all others alone."""
    width = stroke_width(ink)
    least, most = STROKE_WIDTHS
    if least <= width <= most:
        return ink
    target = THICKENED if width < least else THINNED
    radius = abs(target - width) / 2 * _STROKE_SIDE / BOX
    ink = _scale_strokes(ink, keep_thin=width < least)
    reach = int(radius)
    if width < least:
        changed = _spread(np.pad(ink, reach), radius)
    else:
        changed = 1 - _spread(1 - np.pad(ink, 1), radius)
    seen = changed > 0.1 * changed.max()
    rows, columns = np.nonzero(seen)
    return changed[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def stroke_width(ink: Plane) -> float:
    """Mean width of the strokes in ``ink`` (h, w), in pixels once its longer side is 20.

    A stroke of length n and width w has area n w and, both banks together, outline 2 n; the outline of a
    plane of grey values is its total variation.
    """
    padded = np.pad(ink, 1)
    down, right = np.diff(padded, axis=0)[:, :-1], np.diff(padded, axis=1)[:-1]
    outline = float(np.hypot(down, right).sum())
    return 2 * float(ink.sum()) / outline * BOX / max(ink.shape)


def _scale_strokes(ink: Plane, keep_thin: bool) -> Plane:
    """Bring the longer side to 100 pixels; ``keep_thin`` takes the maximum, lest hairlines fade."""
    factor = max(ink.shape) // _STROKE_SIDE
    if keep_thin and factor > 1:
        height, width = (-(-side // factor) for side in ink.shape)
        blocks = np.pad(ink, ((0, height * factor - ink.shape[0]), (0, width * factor - ink.shape[1])))
        ink = blocks.reshape(height, factor, width, factor).max(axis=(1, 3))
    return _resize(ink, _STROKE_SIDE)


def _spread(ink: Plane, radius: float) -> Plane:
    """Give each pixel the maximum within ``radius`` pixels of it."""
    reach = int(radius)
    height, width = ink.shape
    padded = np.pad(ink, reach)
    spread = ink
    for y in range(-reach, reach + 1):
        half = int((radius**2 - y**2) ** 0.5)
        for x in range(-half, half + 1):
            spread = np.maximum(spread, padded[reach + y : reach + y + height, reach + x : reach + x + width])
    return spread


def _fit_box(ink: Plane) -> Plane:
    """Scale the ink into the box of 20 x 20: (h, w), the strongest 1."""
    box = _resize(ink, BOX)
    return box / box.max()


def _resize(plane: Plane, side: int) -> Plane:
    """Scale a plane so that its longer side is ``side`` pixels, keeping its shape, antialiased."""
    height, width = plane.shape
    scale = side / max(height, width)
    smooth = Image.Resampling.HAMMING if scale < 1 else Image.Resampling.BICUBIC
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    resized = np.asarray(Image.fromarray(plane).resize(size, smooth), dtype=np.float32)
    return resized.clip(0, 1)  # cubic interpolation overshoots


def _centre(box: Plane) -> NDArray[np.float32]:
    """Lay the box into 28 x 28 with its centre of mass in the middle, to the pixel, all of it inside."""
    image = np.zeros((SIDE, SIDE), dtype=np.float32)
    height, width = box.shape
    mass = float(box.sum())
    y = float(box.sum(axis=1) @ np.arange(height)) / mass
    x = float(box.sum(axis=0) @ np.arange(width)) / mass
    top = min(max(round(SIDE / 2 - y), 0), SIDE - height)
    left = min(max(round(SIDE / 2 - x), 0), SIDE - width)
    image[top : top + height, left : left + width] = box
    return image
