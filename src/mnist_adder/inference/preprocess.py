"""Any picture of one handwritten digit -> an image as MNIST has them.

A picture comes in, in any of the ways ``picture`` opens; a float32 array (28, 28) in [0, 1] goes out, ink
bright on dark. Next is the predictor. Files, the HTTP service and the drawing page all come through here,
so that the same drawing gets the same answer everywhere.

MNIST was made by scaling black and white digits to fit a box of 20 x 20 pixels, keeping their shape and
antialiasing them, and centring the box in 28 x 28 by its centre of mass (http://yann.lecun.com/exdb/mnist).
Here the ink must be found first. An MNIST image passes unchanged but for specks and rare stroke widths.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mnist_adder.errors import PictureError
from mnist_adder.inference.picture import Picture, Plane, open_picture
from mnist_adder.types import SIDE

BOX = 20
"""Longer side of the digit in the image, in pixels."""
MIN_CONTRAST = 0.06
"""Least difference between ink and ground, of a full range of 1."""
STROKE_WIDTHS = (1.3, 4.4)
"""Stroke widths left alone, in pixels of the box: 99 % of MNIST's training images lie here, median 2.4."""
THICKENED, THINNED = 2.2, 3.0
"""What thinner and thicker strokes are brought to."""

_MIN_INK_SIDE = 5  # a digit of fewer pixels cannot be told from a speck
_MIN_PART, _NEAR = 0.03, 0.5  # a part with less ink, beside the largest, or further away, is a speck
_MIN_CLOSE_PART, _CLOSE = 0.008, 0.15  # unless it lies this close; distances in sides of the largest
_STROKE_SIDE = 100  # strokes are widened and thinned at this resolution, five times the box's

_T = TypeVar("_T", np.float32, np.bool_)


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
    ink = _set_stroke_width(_find_ink(_stand_out(open_picture(picture))))
    box = _resize(ink, BOX)
    return _centre(box / box.max())


class _Signal(NamedTuple):
    """A picture less its ground."""

    plane: Plane  # (H, W), near 0 on the ground and positive on ink
    noise: float  # its standard deviation on the ground
    peak: float  # how far the strongest ink stands out


def _stand_out(brightness: Plane) -> _Signal:
    """Take the ground away, find out which side of it the ink is on, and measure ink and noise."""
    plane = brightness - _ground(brightness)
    odd = 8 + plane.size // 10_000  # a few odd pixels do not count
    ordered = np.sort(plane, axis=None)
    low, high = float(ordered[odd]), float(ordered[-1 - odd])
    far = 0.3 * max(-low, high)
    if np.square(plane[plane < -far]).sum() > np.square(plane[plane > far]).sum():
        plane, high = -plane, -low
    ground = np.abs(plane[~_dilate_mask(plane > 0.4 * high, 2)])  # without the blurred edges of the ink
    rank = int(0.95 * ground.size)  # not the median: JPEG leaves much of the ground even and the rest rippled
    noise = float(np.sort(ground)[rank]) / 1.96 if ground.size else 0.0
    if high < max(MIN_CONTRAST, 5 * noise):
        raise PictureError(
            "the picture is blank or too pale, nothing stands out from its ground; "
            "write with a darker pen or photograph it in better light"
        )
    return _Signal(plane, noise, high)


def _ground(brightness: Plane) -> Plane:
    """The brightness without ink, (H, W) or a single value: even, or a fitted surface of second degree."""
    ring = np.concatenate([brightness[0], brightness[-1], brightness[1:-1, 0], brightness[1:-1, -1]])
    even = _median(ring)
    if _share(np.abs(ring - even) < 0.01) > 0.75 and _share(np.abs(brightness - even) < 0.01) > 0.25:
        return np.full((1, 1), even, dtype=np.float32)
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
    return np.asarray(surface, dtype=np.float32)


def _find_ink(signal: _Signal) -> Plane:
    """Cut the digit out: (h, w) in [0, 1], 0 wherever there is no ink, ink on all four sides.

    Ink counts where it stands out of the noise and hangs together with strong ink. The finer the picture,
    the more of the faint ink is blur: values are then drawn apart. At MNIST's own size none is changed.
    """
    plane, noise, peak = signal
    level = float(_median(plane[plane > 0.4 * peak]))
    strong = plane > max(0.5 * level, 3 * noise)
    top, bottom, left, right = _bounds(strong)
    detail = max(0.0, 1 - 24 / max(bottom - top, right - left))
    floor = max(min(5 * noise, 0.5 * level), 0.25 * detail * level, 0.002)
    kept = _digit_parts(strong | (plane > floor), strong, plane)
    ink = _crop(np.where(kept, plane, 0), kept)
    if max(ink.shape) < _MIN_INK_SIDE:
        raise PictureError(f"the ink is {ink.shape[1]} x {ink.shape[0]} pixels; write larger or cut closer")
    full = (1 - detail) * float(ink.max()) + detail * level
    margin = 0.2 * detail
    return np.asarray(((ink / full - margin) / (1 - 2 * margin)).clip(0, 1), dtype=np.float32)


def _digit_parts(mask: NDArray[np.bool_], strong: NDArray[np.bool_], ink: Plane) -> NDArray[np.bool_]:
    """Of the connected parts of ``mask`` keep the digit's, dropping specks and what the edge cuts off.

    The part with the most ink is the digit; others near it with enough ink are, as the bar of a broken 5.
    """
    padded = _pad(mask, 0, 1)
    height, width = padded.shape
    starts, ends, parts = _connected_components(padded)
    count = max(parts) + 1
    if count == 1:
        return mask
    total = np.zeros(padded.size + 1)
    total[1:] = _pad(np.where(strong, ink, 0), 0, 1).cumsum()
    mass = np.bincount(parts, total[ends] - total[starts], count)
    low, high = np.full((count, 2), padded.size), np.zeros((count, 2), dtype=int)  # row, column
    np.minimum.at(low, parts, np.stack(np.divmod(starts, width), axis=1))
    np.maximum.at(high, parts, np.stack(np.divmod(ends - 1, width), axis=1))
    cut = np.any((low <= [0, 1]) | (high >= [height - 1, width - 2]), axis=1)
    digit = int(np.argmax(np.where(cut, 0.1 * mass, mass)))
    gap = np.maximum(low - high[digit], low[digit] - high).max(axis=1) / ((high - low)[digit].max() + 1)
    near = (mass > _MIN_PART * mass[digit]) & (gap < _NEAR)
    close = (mass > _MIN_CLOSE_PART * mass[digit]) & (gap < _CLOSE)
    chosen = ((near | close) & (~cut | cut[digit]))[parts]
    edges = np.zeros(padded.size + 1, dtype=np.int8)
    edges[starts[chosen]], edges[ends[chosen]] = 1, -1
    kept: NDArray[np.bool_] = edges[:-1].cumsum(dtype=np.int8).reshape(padded.shape)[:, 1:-1] > 0
    return kept


def _connected_components(padded: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp], list[int]]:
    """Find the horizontal runs of a mask with empty outer columns, and which hang together, corners included.

    Returns (R,) each: start, end (one past), counted along the rows laid end to end, and part 0..P-1.
    """
    width = padded.shape[1]
    flat = padded.ravel()
    change = (flat[1:] != flat[:-1]).nonzero()[0] + 1
    starts, ends = change[::2], change[1::2]
    first = ends.searchsorted(starts - width, side="left")  # the runs above that touch each run
    last = starts.searchsorted(ends - width, side="right")
    # A forest: each run points at an earlier one of its part, or at itself.
    root = np.where(first < last, first, np.arange(first.size)).tolist()
    for lower in (last - first > 1).nonzero()[0].tolist():  # runs that join several
        for upper in range(int(first[lower]) + 1, int(last[lower])):
            one, other = upper, lower
            while root[one] != one:
                root[one] = one = root[root[one]]  # halves the way for those that come after
            while root[other] != other:
                root[other] = other = root[root[other]]
            root[max(one, other)] = min(one, other)
    parts: list[int] = []
    count = 0
    for run, earlier in enumerate(root):
        parts.append(count if earlier == run else parts[earlier])
        count += earlier == run
    return starts, ends, parts


def stroke_width(ink: Plane) -> float:
    """Mean width of the strokes in ``ink`` (h, w), in pixels once its longer side is 20.

    A stroke of length n and width w has area n w and an outline of 2 n; that of grey values is their
    total variation.
    """
    padded = _pad(ink, 1, 1)
    down, right = padded[1:, :-1] - padded[:-1, :-1], padded[:-1, 1:] - padded[:-1, :-1]
    return float(2 * ink.sum() / np.hypot(down, right).sum() * (BOX / max(ink.shape)))


def _set_stroke_width(ink: Plane) -> Plane:
    """Thicken hairlines and thin marker strokes to what MNIST has; leave all others alone."""
    width = stroke_width(ink)
    factor = max(ink.shape) // _STROKE_SIDE
    if width < STROKE_WIDTHS[0]:
        if factor > 1:  # averaging would make hairlines fade
            ink = np.pad(ink, [(0, -side % factor) for side in ink.shape])
            ink = ink.reshape(len(ink) // factor, factor, -1, factor).max(axis=(1, 3))
        radius = (THICKENED - width) / 2 * _STROKE_SIDE / BOX
        changed = _disk_max_filter(np.pad(_resize(ink, _STROKE_SIDE), int(radius)), radius)
    elif width > STROKE_WIDTHS[1]:
        radius = min((width - THINNED) / 2, 0.3 * width) * _STROKE_SIDE / BOX  # never the whole stroke
        changed = 1 - _disk_max_filter(1 - np.pad(_resize(ink, _STROKE_SIDE), 1), radius)
    else:
        return ink
    return _crop(changed, changed > 0.1 * changed.max())


def _disk_max_filter(plane: Plane, radius: float) -> Plane:
    """Give each pixel the maximum within ``radius`` pixels of it."""
    reach = int(radius)
    height, width = plane.shape
    padded = _pad(plane, reach, reach)
    along, spread, half = padded[:, reach : reach + width].copy(), plane.copy(), 0
    for y in range(reach, -1, -1):  # rows far from the middle take few columns, and each nearer one some more
        for x in range(half + 1, int((radius**2 - y**2) ** 0.5) + 1):
            for shifted in (padded[:, reach - x :], padded[:, reach + x :]):
                np.maximum(along, shifted[:, :width], out=along)
            half = x
        for row in {reach - y, reach + y}:
            np.maximum(spread, along[row : row + height], out=spread)
    return spread


def _dilate_mask(mask: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """Set all pixels within ``reach`` rows and columns of one that is set.

    As bits of one large whole number, rows end to end with zeros between them, a mask is moved as a whole.
    """
    padded = _pad(mask, reach, reach)
    bits = int.from_bytes(np.packbits(padded).tobytes(), "big")
    for step in [1] * reach + [padded.shape[1]] * reach:
        bits |= bits << step | bits >> step
    content = np.frombuffer(bits.to_bytes(-(-padded.size // 8), "big"), np.uint8)
    wide = np.unpackbits(content, count=padded.size).reshape(padded.shape)
    return wide[reach:-reach, reach:-reach].view(np.bool_)


def _pad(plane: NDArray[_T], rows: int, columns: int) -> NDArray[_T]:
    """Zeros around a plane; ``np.pad`` takes ten times as long for a small one."""
    height, width = plane.shape
    padded = np.zeros((height + 2 * rows, width + 2 * columns), dtype=plane.dtype)
    padded[rows : rows + height, columns : columns + width] = plane
    return padded


def _median(values: Plane) -> np.float32:
    """``np.median`` without its care for what is not here: axes, empty arrays, values that are no numbers."""
    ordered, middle = np.sort(values), values.size // 2
    return np.float32((ordered[-1 - middle] + ordered[middle]) / np.float32(2))


def _share(mask: NDArray[np.bool_]) -> float:
    return np.count_nonzero(mask) / mask.size


def _crop(plane: Plane, mask: NDArray[np.bool_]) -> Plane:
    top, bottom, left, right = _bounds(mask)
    return plane[top:bottom, left:right]


def _bounds(mask: NDArray[np.bool_]) -> tuple[np.intp, np.intp, np.intp, np.intp]:
    """First row, one past the last, first column and one past the last that hold anything."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return rows[0], rows[-1] + 1, columns[0], columns[-1] + 1


def _resize(plane: Plane, side: int) -> Plane:
    """Scale a plane so that its longer side is ``side`` pixels, keeping its shape, antialiased."""
    height, width = plane.shape
    scale = side / max(height, width)
    if scale == 1:
        return plane
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
