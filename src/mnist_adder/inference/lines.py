"""Removes lines that are no digit: ruling and squares, boxes, rings and underlines.

Lines that span the picture are told by that, and those drawn around a digit by enclosing it. Where the pen
crosses a line its ink is left: it is stronger than the line, or goes on at both sides of it. All of this is
costly beside the rest of :mod:`preprocess`, so each function begins with a quick look.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from mnist_adder.inference.morphology import border, connected_components, dilate_mask, median, share
from mnist_adder.inference.picture import Plane

SMALL = 64
"""Pictures whose longer side has fewer pixels show no paper around the digit: nothing is looked for there."""

_PALEST = 0.1  # lines paler than this share of the strongest ink do no harm
_PALE = 0.75  # strokes are as strong as the pen, but ruling is paler
_CLEARLY = 0.35  # how far above a line's own level, on the way to the pen's, ink on it is
_STEEPEST = 0.1  # the steepest line, in pixels up per pixel along: 6 degrees
_SEARCH_SIDE = 160  # the slope of ruling is looked for in a copy of at most so many pixels
_SPANS = 0.55  # how much of the picture ruling covers if it reaches a side
_STRIPS = 8  # pieces in which ruling is followed where paper bends
_BEND = 3  # how many pixels one strip may lie off the last
_MIN_FREE = 0.8  # ink that no line touches is the digit, if it has this share of the most ink that one does
_MIN_ENCLOSED = 0.25  # height of what a frame is drawn around, beside the frame
_COVERED = 0.85  # how much of a side of a box is there
_THICKEST = 0.12  # the line of a box, beside its shorter side
_PALEST_BOX = 0.12  # how strong the lines of a box are at least, beside the pen
_THICKEST_RING = 0.2  # the line of a ring, beside its radius
_OVERHANG = 0.23  # how far an underline sticks out on both sides, in heights of digit and line

_T = TypeVar("_T", np.float32, np.bool_)


def remove_ruling(plane: Plane, *, cut: bool) -> Plane:
    """Remove straight lines that span a picture, in either direction, and leave the ink that crosses them.

    Args:
        plane: (H, W), near 0 on the background and positive on ink and lines.
        cut: the picture was cut to the digit, whose strokes may span it too: only paler lines are removed.
    """
    if max(plane.shape) < SMALL or min(plane.shape) < SMALL // 4:
        return plane
    noise = 1.4826 * float(np.median(np.abs(plane)))
    peak = float(np.partition(plane, -9, axis=None)[-9])
    least = max(_PALEST * peak, 4 * noise)
    if not (border(plane) > least).any():
        return plane
    pen = float(median(plane[plane > 0.6 * peak]))
    most = _PALE * pen if cut else np.inf
    along = _find_ruling(plane, least, most)
    upright = _find_ruling(np.ascontiguousarray(plane.T), least, most)
    levels = np.zeros_like(plane)  # how strong the lines are where they are
    for ruling, turned in ((along, levels), (upright, levels.T)):
        if ruling:
            turned += _shift(ruling.level, -ruling.shifts)
    ink = plane > levels + np.maximum(_CLEARLY * (pen - levels), 2 * noise)
    kept = ink.copy()
    for ruling, turned_kept, turned_ink in ((along, kept, ink), (upright, kept.T, ink.T)):
        if ruling:
            turned_kept |= ruling.bridges(turned_ink)
    lines = levels > 0
    cleared = np.where(lines & ~(kept & (plane > least)), np.minimum(plane, 0), plane)
    return _without_teeth(plane, cleared, lines, least) if lines.any() else plane


class _Ruling(NamedTuple):
    """Lines along the rows of a picture (H, W), straight once each of its columns is moved up or down."""

    shifts: NDArray[np.intp]  # (W,) by how many rows
    bands: list[tuple[int, int]]  # the first row of each line and one past its last
    level: Plane  # (H, W) how strong the lines are, moved

    def bridges(self, ink: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Where ink (H, W) lies on both sides of a line, (H, W)."""
        moved = _shift(ink, self.shifts)
        bridged = np.zeros_like(moved)
        for first, last in self.bands:
            reach = (last - first) // 2 + 1  # strokes cross at a slant
            above, below = moved[max(0, first - 2) : first].any(axis=0), moved[last : last + 2].any(axis=0)
            bridged[first:last] = dilate_mask(np.atleast_2d(above), reach) & dilate_mask(
                np.atleast_2d(below), reach
            )
        return _shift(bridged, -self.shifts)


def _shift(plane: NDArray[_T], shifts: NDArray[np.intp]) -> NDArray[_T]:
    """Move each column of a plane up by so many rows; zeros come in."""
    rows = np.arange(len(plane))[:, None] + shifts
    moved: NDArray[_T] = plane[rows.clip(0, len(plane) - 1), np.arange(plane.shape[1])]
    moved[(rows < 0) | (rows >= len(plane))] = 0
    return moved


def _slopes(width: int) -> NDArray[np.intp]:
    """By how many rows lines of all slopes lie off in each column, (S, W), the flattest first."""
    steps = np.arange(-int(_STEEPEST * width / 2), int(_STEEPEST * width / 2) + 1)
    steps = steps[np.argsort(np.abs(steps), kind="stable")]
    return np.round(steps[:, None] * np.linspace(-1, 1, width)).astype(int)


def _find_ruling(plane: Plane, least: float, most: float) -> _Ruling | None:
    """The lines along the rows of a plane that span it, stronger than ``least`` and paler than ``most``."""
    height, width = plane.shape
    shifts = _common_slope(plane > least)
    shifts = shifts + _bend(_shift(plane.clip(0, 4 * least), shifts))
    moved = _shift(plane, shifts)
    there = moved > 0.8 * least
    ends, near = max(4, width // 12), dilate_mask(there, 2)
    reaches = np.maximum(near[:, :ends].mean(axis=1), near[:, -ends:].mean(axis=1)) > 0.5
    covered = there.mean(axis=1)
    spans = np.asarray((covered > 0.9) | ((covered > _SPANS) & reaches))
    edges = np.flatnonzero(np.diff(spans, prepend=False, append=False)).reshape(-1, 2)
    level, bands = np.zeros_like(plane), []
    for first, last in edges.tolist():
        band = slice(max(0, first - 2), min(height, last + 2))  # with its blurred edges
        strength = _strength_along(moved[band])
        if last - first < 3 + 0.03 * max(plane.shape) and strength.max() < most:
            level[band] = strength.clip(1e-6)
            bands.append((band.start, band.stop))
    return _Ruling(shifts, bands, level) if bands else None


def _strength_along(band: Plane) -> Plane:
    """How strong a line is along its length, (h, W), as light and print change; ink on it does not count."""
    width, pieces = band.shape[1], _STRIPS // 2
    local = np.stack([np.median(piece, axis=1) for piece in np.array_split(band, pieces, axis=1)])
    local = np.minimum(local, 1.25 * np.median(band, axis=1).max())
    wider = np.pad(local, ((0, 0), (1, 1)))  # the line may lie a row off
    local = np.maximum(local, np.maximum(wider[:, :-2], wider[:, 2:]))
    middles = (np.arange(pieces) + 0.5) * width / pieces
    return np.stack([np.interp(np.arange(width), middles, row) for row in local.T]).astype(np.float32)


def _common_slope(mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    """By how many rows lines lie off in each column, (W,), for the slope along which rows are fullest."""
    factor = -(-max(mask.shape) // _SEARCH_SIDE)
    small = _coarse(mask, factor)
    slopes = _slopes(small.shape[1])
    rows = [_shift(small, slope).mean(axis=1) for slope in slopes]
    best = slopes[int(np.argmax([np.square(full[full > 0.4]).sum() for full in rows]))]
    found: NDArray[np.intp] = np.round(np.linspace(best[0], best[-1], mask.shape[1]) * factor).astype(int)
    return found


def _coarse(mask: NDArray[np.bool_], factor: int) -> NDArray[np.bool_]:
    """A mask in blocks of ``factor`` pixels: is anything set in each?"""
    rows = np.logical_or.reduceat(mask, np.arange(0, mask.shape[0], factor), axis=0)
    return np.logical_or.reduceat(rows, np.arange(0, mask.shape[1], factor), axis=1)


def _bend(plane: Plane) -> NDArray[np.intp]:
    """How many rows each column lies off a straight line, (W,): paper bends, and all its lines with it."""
    pieces = [piece.mean(axis=1) for piece in np.array_split(plane, _STRIPS, axis=1)]
    offsets, middle = np.zeros(_STRIPS), _STRIPS // 2
    for order in (range(middle + 1, _STRIPS), range(middle - 1, -1, -1)):
        model, offset = pieces[middle], 0
        for piece in order:
            tried = sorted(range(offset - _BEND, offset + _BEND + 1), key=abs)
            offset = tried[int(np.argmax([model @ np.roll(pieces[piece], -by) for by in tried]))]
            offsets[piece] = offset
            model = (model + np.roll(pieces[piece], -offset)) / 2
    middles = (np.arange(_STRIPS) + 0.5) * plane.shape[1] / _STRIPS
    bend: NDArray[np.intp] = np.round(np.interp(np.arange(plane.shape[1]), middles, offsets)).astype(int)
    return bend


def _without_teeth(plane: Plane, cleared: Plane, lines: NDArray[np.bool_], least: float) -> Plane:
    """Clear what hung on the lines beside a digit that touches none: the uprights of a form's cells."""
    parts = connected_components(plane > least)
    rest_mask = cleared > least
    free = parts.sums(lines.astype(np.float32)) == 0
    mass = parts.sums(plane.clip(0)) * free
    digit = int(np.argmax(mass))
    first, last = (corner[digit] for corner in parts.boxes())
    rest = connected_components(rest_mask & ~parts.mask(free))
    if not rest.size or mass[digit] < _MIN_FREE * rest.sums(plane.clip(0)).max():
        return cleared
    start, end = rest.boxes()
    room = 0.25 * (last - first).max()
    around = (start[:, 1] < first[1] - room) | (end[:, 1] > last[1] + room)
    beside = (end[:, 1] <= first[1]) | (start[:, 1] >= last[1])
    return np.where(rest.mask(around | beside), np.float32(0), cleared)


def largest(mass: NDArray[np.float64], share_of_most: float) -> NDArray[np.intp]:
    """Which parts have a share of the most ink, of (P,), at most 20: noise has thousands."""
    large = (mass > share_of_most * mass.max()).nonzero()[0]
    found: NDArray[np.intp] = large if large.size <= 20 else large[np.argsort(-mass[large])[:20]]
    return found


def enclosing(first: NDArray[np.intp], last: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which parts have another inside that may be a digit, (P,), by corners of their boxes, (P, 2) each."""
    height = (last - first + 1)[:, 0]
    inside = (first[None] > first[:, None]).all(axis=2) & (last[None] < last[:, None]).all(axis=2)
    return np.asarray((inside & (height[None] > _MIN_ENCLOSED * height[:, None])).any(axis=1))


def remove_attached(ink: Plane, pen: float) -> Plane | None:
    """Remove a box, a ring or an underline that the digit touches.

    Args:
        ink: (H, W), cut to digit and line, 0 wherever there is neither.
        pen: how strong the ink is.

    Returns:
        (H, W) without the line, or None if there is none with something in it.
    """
    if min(ink.shape) < SMALL // 4:
        return None
    mask = ink[::4] > 0  # a quarter of the rows is enough for a look
    width = ink.shape[1]
    extent = width - mask.argmax(axis=1) - mask[:, ::-1].argmax(axis=1)
    if share(extent > 0.65 * width) > 0.7:  # most rows reach from one side to the other, as a frame's do
        inside = mask[len(mask) // 4 : len(mask) * 3 // 4, width // 4 : width * 3 // 4]
        if share(inside) < 0.02:
            return None  # an empty zero
        middle = mask[len(mask) // 4 : len(mask) * 3 // 4 + 1]
        if min(_first_stroke(middle), _first_stroke(middle[:, ::-1])) > _THICKEST_RING * width:
            return None  # a zero's stroke
        box = _without_box(ink, pen)
        return _without_ring(ink, pen) if box is None else box
    upper = np.asarray(mask[: len(mask) * 7 // 10].any(axis=0))
    if min(int(upper.argmax()), int(upper[::-1].argmax())) > _OVERHANG * len(ink):
        return _without_underline(ink, pen)
    return None


def _first_stroke(mask: NDArray[np.bool_]) -> float:
    """How thick the first stroke from the left is in most rows of a mask, in pixels."""
    start = mask.argmax(axis=1)
    end = (~mask & (np.arange(mask.shape[1]) > start[:, None])).argmax(axis=1)
    return float(np.median(end - start))


def _without_box(plane: Plane, pen: float) -> Plane | None:
    """Remove the four straight sides of a box."""
    if not _has_four_sides(plane > _PALEST_BOX * pen):
        return None
    height, width = plane.shape
    room = 4 + max(height, width) // 12
    plane = np.pad(plane, room)
    ink = plane > _PALEST_BOX * pen
    turned = np.ascontiguousarray(ink.T)
    lines = [_outer_line(ink, last=False), _outer_line(ink, last=True)]
    lines += [_outer_line(turned, last=False), _outer_line(turned, last=True)]
    top, bottom, left, right = (round(float(np.median(line))) for line in lines)
    if min(bottom - top, right - left) < 8:
        return None
    extents = [slice(left, right)] * 2 + [slice(top, bottom)] * 2
    sides = [
        _middle_and_thickness(source, line, room, extent)
        for source, line, extent in zip((ink, ink, turned, turned), lines, extents, strict=True)
    ]
    if any(side is None for side in sides):
        return None
    reach = min(side[1] for side in sides if side) // 2 + 2  # of the thinnest: the digit may lie along others
    if reach - 2 > _THICKEST / 2 * min(bottom - top, right - left):
        return None  # thick strokes of a zero
    for source, side, extent in zip((plane, plane, plane.T, plane.T), sides, extents, strict=True):
        if side:
            _erase(source, side[0], reach, slice(max(0, extent.start - reach), extent.stop + reach), pen)
    rows = np.flatnonzero((plane[top:bottom, left:right] > 0.25 * pen).any(axis=1))
    if not rows.size or np.ptp(rows) < _MIN_ENCLOSED * (bottom - top):
        return None
    return plane[room : room + height, room : room + width]


def _has_four_sides(ink: NDArray[np.bool_]) -> bool:
    """A quick look at a coarse copy: has each outer third a row, or a column, that is nearly full?"""
    small = _coarse(ink, -(-max(ink.shape) // 32))
    if min(small.shape) < 6:
        return False
    for rows in (small, small.T):
        full = (rows[2:] | rows[1:-1] | rows[:-2]).mean(axis=1)
        third = len(full) // 3
        if min(full[:third].max(), full[-third:].max()) < 0.75:
            return False
    return True


def _outer_line(ink: NDArray[np.bool_], *, last: bool) -> NDArray[np.intp]:
    """The row, in each column, of the first or last long straight line along the rows of a mask, (W,).

    It lies in the upper or the lower half, and not every slope fits: the best of those next to the outermost.
    """
    start = len(ink) // 2 if last else 0
    half = ink[start:] if last else ink[: len(ink) // 2]
    slopes = _slopes(ink.shape[1])
    counts = np.stack([np.count_nonzero(_shift(half, slope), axis=1) for slope in slopes])
    long = np.flatnonzero((counts > 0.85 * counts.max()).any(axis=0))
    top = max(0, int(long[-1]) - 5) if last else int(long[0])
    near = counts[:, top : top + 6]
    slope, row = np.unravel_index(int(np.argmax(near)), near.shape)
    return np.asarray(start + top + row + slopes[slope])


def _band(plane: NDArray[_T], line: NDArray[np.intp], reach: int) -> NDArray[_T]:
    """The pixels within ``reach`` rows of a line, (2 reach + 1, W)."""
    rows = line + np.arange(-reach, reach + 1)[:, None]
    band: NDArray[_T] = plane[rows.clip(0, len(plane) - 1), np.arange(plane.shape[1])]
    return band


def _middle_and_thickness(
    ink: NDArray[np.bool_], line: NDArray[np.intp], room: int, extent: slice
) -> tuple[NDArray[np.intp], int] | None:
    """The line moved to the middle of what it is part of, and how thick that is; None if there are gaps."""
    covered = _band(ink, line, room)[:, extent].mean(axis=1)
    if covered.max() < _COVERED:
        return None
    full = np.flatnonzero(covered > 0.7 * covered.max())
    return line + round(float(np.median(full))) - room, int(full.size)


def _erase(plane: Plane, line: NDArray[np.intp], reach: int, extent: slice, pen: float) -> None:
    """Clear a line within ``reach`` rows, but for ink that is stronger or goes on at both sides of it."""
    band = _band(plane, line, reach + 2)[:, extent]
    ink = band > _CLEARLY * pen
    level = float(np.median(band[reach : reach + 5].max(axis=0)))
    kept = band > max(level + _CLEARLY * (pen - level), 1.15 * level)
    kept |= (
        ink
        & dilate_mask(np.atleast_2d(ink[:2].any(axis=0)), reach)
        & dilate_mask(np.atleast_2d(ink[-2:].any(axis=0)), reach)
    )
    rows = (line + np.arange(-reach, reach + 1)[:, None]).clip(0, len(plane) - 1)
    plane[rows[:, extent], np.arange(plane.shape[1])[extent]] = np.where(kept, band, 0)[2:-2]


def _without_ring(plane: Plane, pen: float) -> Plane | None:
    """Remove a closed ring: seen from the middle, the outermost ink lies on one ellipse all around."""
    height, width = plane.shape
    ink = plane > 0.25 * pen
    if min(height, width) < 24:
        return None
    turn = np.linspace(0, 2 * np.pi, 180, endpoint=False)[:, None]
    radius = np.linspace(1, 0, 101)  # of an ellipse that fills the picture
    y = ((1 + radius * np.sin(turn)) * (height - 1) / 2).round().astype(int)
    x = ((1 + radius * np.cos(turn)) * (width - 1) / 2).round().astype(int)
    seen = ink[y, x]
    outer = seen.argmax(axis=1)
    if np.quantile(outer, 0.96) > 22 or share(seen.any(axis=1)) < 0.95:
        return None
    gap = (~seen & (np.arange(101) > outer[:, None])).argmax(axis=1)
    thickness = int(np.quantile(gap - outer, 0.4))  # where no digit touches it
    if thickness > 100 * _THICKEST_RING:
        return None  # the stroke of a zero
    smooth = np.median([np.roll(outer, by) for by in range(-4, 5)], axis=0)
    v, u = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    direction = (np.arctan2(v, u) * 90 / np.pi).round().astype(int) % 180
    left = np.where(np.hypot(v, u) < 1 - (smooth[direction] + thickness + 3) / 100, plane, np.float32(0))
    rows, columns = np.nonzero(left > 0.4 * pen)
    if rows.size < 10 or np.ptp(rows) < 0.4 * height or left.sum() < 0.17 * plane.sum():
        return None  # a zero whose stroke ends inside
    least, most = np.linalg.eigvalsh(np.cov(rows, columns))
    return left if least > 0.12 * most else None  # a bar across it: many a zero has one


def _without_underline(plane: Plane, pen: float) -> Plane | None:
    """Remove a straight line below the digit that sticks out on both sides."""
    height, width = plane.shape
    room = 4 + max(height, width) // 12
    plane = np.pad(plane, room)
    ink = plane > 0.25 * pen
    inner = slice(room, -room)
    found = _middle_and_thickness(ink, _outer_line(ink, last=True), room, inner)
    if found is None or found[1] > 0.2 * height:
        return None
    line, reach = found[0], found[1] // 2 + 2
    feet = np.flatnonzero(_band(ink, line - reach - 2, 0)[0, inner])
    if feet.size and min(feet[0], width - 1 - feet[-1]) < _OVERHANG * width:
        return None  # the foot of a 2 begins where its stroke ends
    _erase(plane, line, reach, slice(None), pen)
    return plane[inner, inner]
