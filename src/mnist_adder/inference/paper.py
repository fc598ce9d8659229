"""Removes what paper, table and lamp add to a picture: desks, hard shadows, ruling and squares.

All of this is costly beside the rest, and most pictures have none of it: :mod:`preprocess` comes here only
when the border of a picture is not as even as its background.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnist_adder.inference.morphology import connected_components, dilate_mask, median, pad, share
from mnist_adder.inference.picture import Plane

_STEEPEST = 0.1  # the steepest slope of ruling, in pixels up per pixel along: 6 degrees
_SEARCH_SIDE = 160  # slopes are looked for in a picture of at most so many pixels
_STRIPS = 8  # pieces in which ruling is followed where paper bends
_BEND = 3  # how many pixels one strip may lie off the last
_SPANS = 0.55  # how much of the picture a line spans
_PALEST = 0.1  # paler lines, beside the pen, do no harm
_CLEARLY = 0.35  # how far above a line's own level, on the way to the pen's, ink on it must be


def border(plane: Plane) -> Plane:
    """The outermost pixels of a plane, all in a row."""
    return np.concatenate([plane[0], plane[-1], plane[1:-1, 0], plane[1:-1, -1]])


def remove_ruling(plane: Plane) -> Plane:
    """Remove straight lines that span a picture, in either direction, and leave the ink that crosses them.

    Args:
        plane: (H, W), near 0 on the background and positive on ink and lines.
    """
    noise = 1.4826 * float(np.median(np.abs(plane)))
    high = float(np.partition(plane, -9, axis=None)[-9])
    least = max(_PALEST * high, 4 * noise)
    edge = border(plane)
    if not (edge > least).any():
        return plane
    pen = float(median(plane[plane > 0.6 * high]))
    across = _find_lines(plane, least)
    upright = _find_lines(np.ascontiguousarray(plane.T), least)
    if across is None and upright is None:
        return plane
    levels, kept = np.zeros_like(plane), np.zeros(plane.shape, dtype=np.bool_)
    for lines, turned in ((across, plane), (upright, plane.T)):
        if lines is not None:
            level = lines.straightened_back(lines.level)
            levels += level if turned is plane else level.T
    ink = plane > levels + np.maximum(_CLEARLY * (pen - levels), 2 * noise)
    for lines, turned in ((across, ink), (upright, ink.T)):
        if lines is not None:
            bridged = lines.bridges(turned)
            kept |= bridged if turned is ink else bridged.T
    return np.where((levels > 0) & ~ink & ~(kept & (plane > least)), np.minimum(plane, 0), plane)


class _Lines(NamedTuple):
    """Lines along the rows of a picture, once each column is moved up or down."""

    shifts: NDArray[np.intp]  # (W,) how many rows each column is moved
    bands: list[tuple[int, int]]  # first row and one past the last of each line
    level: Plane  # (H, W) how strong the lines are where they are, moved

    def straighten(self, plane: NDArray[np.generic]) -> NDArray[np.generic]:
        return _shift(plane, self.shifts)

    def straightened_back(self, plane: Plane) -> Plane:
        return _shift(plane, -self.shifts)

    def bridges(self, ink: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Where ink lies on both sides of a line."""
        moved = _shift(ink, self.shifts)
        bridged = np.zeros_like(moved)
        for first, last in self.bands:
            reach = (last - first) // 2 + 1
            above, below = (moved[max(0, first - 2) : first].any(0), moved[last : last + 2].any(0))
            both = dilate_mask(above[None], reach) & dilate_mask(below[None], reach)
            bridged[first:last] = both
        return _shift(bridged, -self.shifts)


def _shift(plane, shifts):
    height, width = plane.shape
    rows = np.arange(height)[:, None] + shifts
    moved = plane[rows.clip(0, height - 1), np.arange(width)]
    moved[(rows < 0) | (rows >= height)] = 0
    return moved


def _find_lines(plane: Plane, least: float) -> _Lines | None:
    """The lines along the rows of a plane that are stronger than ``least`` and span the picture."""
    height, width = plane.shape
    shifts = np.round(_slope(plane > least) * (np.arange(width) - width / 2)).astype(int)
    shifts += _bend(_shift(plane.clip(0, 4 * least), shifts))
    moved = _shift(plane, shifts)
    spans = np.mean(moved > 0.8 * least, axis=1) > _SPANS
    edges = np.flatnonzero(np.diff(spans, prepend=False, append=False))
    thickest = 3 + 0.03 * max(plane.shape)
    level = np.zeros_like(plane)
    bands = []
    for first, last in edges.reshape(-1, 2).tolist():
        if last - first > thickest:
            continue
        first, last = max(0, first - 2), min(height, last + 2)
        band = moved[first:last]
        whole = np.median(band, axis=1)
        pieces = [np.median(piece, axis=1) for piece in np.array_split(band, _STRIPS // 2, axis=1)]
        local = np.minimum(np.stack(pieces), 1.25 * whole.max())
        columns = (np.arange(_STRIPS // 2) + 0.5) * width / (_STRIPS // 2)
        for row in range(last - first):
            level[first + row] = np.maximum(np.interp(np.arange(width), columns, local[:, row]), 1e-6)
        bands.append((first, last))
    return _Lines(shifts, bands, level) if bands else None


def _slope(mask: NDArray[np.bool_]) -> float:
    """The slope along which a mask has the fullest rows."""
    factor = -(-max(mask.shape) // _SEARCH_SIDE)
    height, width = (side // factor for side in mask.shape)
    small = mask[: height * factor, : width * factor].reshape(height, factor, width, factor).any(axis=(1, 3))
    steps = int(_STEEPEST * width / 2)
    best, slope = 0.0, 0.0
    for step in range(-steps, steps + 1):
        shifts = np.round(2 * step / width * (np.arange(width) - width / 2)).astype(int)
        rows = _shift(small, shifts).mean(axis=1)
        score = float(np.square(rows[rows > 0.4]).sum()) - 1e-6 * abs(step)
        if score > best:
            best, slope = score, 2 * step / width
    return slope


def _bend(plane: Plane) -> NDArray[np.intp]:
    """How many rows each column lies off a straight line, (W,): paper bends, and all its lines with it."""
    pieces = [piece.mean(axis=1) for piece in np.array_split(plane, _STRIPS, axis=1)]
    offsets = np.zeros(_STRIPS)
    middle = _STRIPS // 2
    for order in (range(middle + 1, _STRIPS), range(middle - 1, -1, -1)):
        model, offset = pieces[middle], 0
        for piece in order:
            tried = range(offset - _BEND, offset + _BEND + 1)
            offset = max(tried, key=lambda by: float(model @ np.roll(pieces[piece], -by)) - 1e-9 * abs(by))
            offsets[piece] = offset
            model = 0.5 * model + 0.5 * np.roll(pieces[piece], -offset)
    columns = (np.arange(_STRIPS) + 0.5) * plane.shape[1] / _STRIPS
    return np.round(np.interp(np.arange(plane.shape[1]), columns, offsets)).astype(int)
