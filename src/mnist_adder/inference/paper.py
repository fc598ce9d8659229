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

_WIDEST_STROKE = 0.1  # half the width of what counts as ink beside a desk or a shadow, in sides of the picture
_THIN = 0.03
_STEEPEST = 0.1  # the steepest slope of ruling, in pixels up per pixel along: 6 degrees
_SEARCH_SIDE = 160  # slopes are looked for in a picture of at most so many pixels
_STRIPS = 8  # pieces in which ruling is followed where paper bends
_BEND = 3  # how many pixels one strip may lie off the last
_SMALL = 64
_COVERED = 0.85
_SPANS = 0.55  # how much of the picture a line spans
_PALEST = 0.1  # paler lines, beside the pen, do no harm
_CLEARLY = 0.35  # how far above a line's own level, on the way to the pen's, ink on it must be


def border(plane: Plane) -> Plane:
    """The outermost pixels of a plane, all in a row."""
    return np.concatenate([plane[0], plane[-1], plane[1:-1, 0], plane[1:-1, -1]])


def remove_ruling(plane: Plane, *, pale: bool = False) -> Plane:
    """Remove straight lines that span a picture, in either direction, and leave the ink that crosses them.

    Args:
        plane: (H, W), near 0 on the background and positive on ink and lines.
        pale: only lines paler than the pen, for the strokes of a digit may span the picture too.
    """
    noise = 1.4826 * float(np.median(np.abs(plane)))
    high = float(np.partition(plane, -9, axis=None)[-9])
    least = max(_PALEST * high, 4 * noise)
    edge = border(plane)
    if not (edge > least).any():
        return plane
    pen = float(median(plane[plane > 0.6 * high]))
    most = 0.75 * pen if pale else np.inf
    across = _find_lines(plane, least, most)
    upright = _find_lines(np.ascontiguousarray(plane.T), least, most)
    if across is None and upright is None:
        return plane
    cleared, lines = _clear(plane, across, upright, pen, least, noise)
    return _without_teeth(plane, cleared, lines, least)


def _clear(plane, across, upright, pen, least, noise):
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
    return np.where((levels > 0) & ~ink & ~(kept & (plane > least)), np.minimum(plane, 0), plane), levels > 0


def remove_frame(plane: Plane, pen: float) -> Plane | None:
    """Remove the four straight sides of a box that a digit touches.

    Args:
        plane: (H, W) ink, cut to the box and the digit, 0 elsewhere.
        pen: how strong the ink is.

    Returns:
        What is left, or None if there is no box with something in it.
    """
    ink = plane > 0.25 * pen
    if not _has_four_sides(ink):
        return None
    height, width = plane.shape
    room = 4 + max(height, width) // 12
    plane = np.pad(plane, room)
    ink = np.pad(ink, room)
    turned = np.ascontiguousarray(ink.T)
    half_height, half_width = len(ink) // 2, len(turned) // 2
    sides = [
        _outer_line(ink[:half_height], 0, first=True),
        _outer_line(ink[half_height:], half_height, first=False),
        _outer_line(turned[:half_width], 0, first=True),
        _outer_line(turned[half_width:], half_width, first=False),
    ]
    top, bottom, left, right = (round(float(np.median(line))) for line in sides)
    extents = [(left, right), (left, right), (top, bottom), (top, bottom)]
    thickness = []
    for line, (start, end), source in zip(sides, extents, (ink, ink, turned, turned), strict=True):
        covered = _band(source, line, room)[:, start:end].mean(axis=1)
        if end - start < 8 or covered.max() < _COVERED:
            return None
        full = np.flatnonzero(covered > 0.7 * covered.max())
        full = full[np.abs(full - int(np.argmax(covered))) < room]
        line += round(float(np.median(full))) - room
        thickness.append(full.size)
    reach = min(thickness) // 2 + 2
    if 2 * reach > 0.25 * min(bottom - top, right - left):
        return None
    for line, (start, end), turn in zip(sides, extents, (False, False, True, True), strict=True):
        source = plane.T if turn else plane
        _erase(source, line, reach, slice(max(0, start - reach), end + reach), pen)
    inside = plane[top:bottom, left:right] > 0.25 * pen
    tall = np.flatnonzero(inside.any(axis=1))
    if not tall.size or np.ptp(tall) < 0.25 * (bottom - top):
        return None
    return plane[room : room + height, room : room + width]


def remove_ring(plane: Plane, pen: float) -> Plane | None:
    """Remove a closed ring that a digit inside it touches; what these are is told at :func:`remove_frame`.

    Seen from the middle, the outermost ink lies on an ellipse in all directions, and is as thick in most.
    """
    height, width = plane.shape
    ink = plane > 0.25 * pen
    middle = ink[height * 3 // 10 : height * 7 // 10, width * 3 // 10 : width * 7 // 10]
    if min(height, width) < 24 or share(middle) < 0.02:
        return None
    turn = np.linspace(0, 2 * np.pi, 180, endpoint=False)[:, None]
    radius = np.linspace(1.04, 0, 104)
    y = ((1 + radius * np.sin(turn)) * (height - 1) / 2).round().astype(int)
    x = ((1 + radius * np.cos(turn)) * (width - 1) / 2).round().astype(int)
    seen = ink[y.clip(0, height - 1), x.clip(0, width - 1)] & (radius <= 1.01)
    outer = seen.argmax(axis=1)
    if np.quantile(radius[outer], 0.04) < 0.78 or share(~seen.any(axis=1)) > 0.05:
        return None
    thickness = int(np.quantile((~seen & (np.arange(104) > outer[:, None])).argmax(axis=1) - outer, 0.4))
    smooth = np.array([np.median(np.roll(outer, by)[:9]) for by in range(4, 4 - 180, -1)])
    v, u = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    at = (np.arctan2(v, u) * 90 / np.pi).round().astype(int) % 180
    inner = radius[(smooth[at] + thickness + 3).astype(int).clip(0, 103)]
    left = np.where(np.hypot(v, u) < inner, plane, 0)
    rows, columns = np.nonzero(left > 0.4 * pen)
    if rows.size < 10 or np.ptp(rows) < 0.25 * height:
        return None
    least, most = np.linalg.eigvalsh(np.cov(rows, columns))
    return left if least > 0.03 * most else None  # a bar across it: a zero may have one


def remove_underline(plane: Plane, pen: float) -> Plane | None:
    """Remove a line below a digit that touches it; see :func:`remove_frame`."""
    height, width = plane.shape
    ink = plane > 0.25 * pen
    upper = np.flatnonzero(ink[: height * 7 // 10].any(axis=0))
    if not upper.size or min(upper[0], width - 1 - upper[-1]) < 0.08 * height:
        return None
    room = 4 + max(height, width) // 12
    plane, ink = np.pad(plane, room), np.pad(ink, room)
    start = len(ink) // 2
    line = _outer_line(ink[start:], start, first=False)
    covered = _band(ink, line, room)[:, room:-room].mean(axis=1)
    full = np.flatnonzero(covered > 0.7 * covered.max())
    if covered.max() < _COVERED or np.ptp(full) > 0.2 * height:
        return None
    line = line + round(float(np.median(full))) - room
    reach = full.size // 2 + 2
    feet = np.flatnonzero(_band(ink, line - reach - 2, 0)[0, room:-room])
    if feet.size and min(feet[0], width - 1 - feet[-1]) < 0.08 * width:
        return None  # the foot of a 2 begins where its stroke ends
    _erase(plane, line, reach, slice(None), pen)
    return plane[room : room + height, room : room + width]


def _has_four_sides(ink: NDArray[np.bool_]) -> bool:
    """A quick look at a coarse copy: does each half hold a row, or a column, that is nearly full?"""
    factor = -(-max(ink.shape) // 32)
    ink = np.pad(ink, [(0, -side % factor) for side in ink.shape])
    small = ink.reshape(len(ink) // factor, factor, -1, factor).any(axis=(1, 3))
    if min(small.shape) < 6:
        return False
    for lines in (small, small.T):
        full = (lines[2:] | lines[1:-1] | lines[:-2]).mean(axis=1)
        if min(full[: len(full) // 2].max(), full[len(full) // 2 :].max()) < 0.72:
            return False
    return True


def _outer_line(ink: NDArray[np.bool_], offset: int, *, first: bool) -> NDArray[np.intp]:
    """The row, in each column, of the first or last straight line along the rows that covers much ink.

    ``offset`` is added to it.
    """
    height, width = ink.shape
    steps = int(_STEEPEST * width / 2)
    slopes = sorted(range(-steps, steps + 1), key=abs)
    shifts = np.round(2 * np.array(slopes)[:, None] / width * (np.arange(width) - width / 2)).astype(int)
    counts = np.stack([np.count_nonzero(_shift(ink, shift), axis=1) for shift in shifts])
    long = np.flatnonzero((counts > 0.85 * counts.max()).any(axis=0))
    near = slice(int(long[0]), int(long[0]) + 6) if first else slice(max(0, int(long[-1]) - 5), int(long[-1]) + 1)
    slope, row = np.unravel_index(np.argmax(counts[:, near]), counts[:, near].shape)
    return np.asarray(row + near.start + shifts[slope] + offset)


def _band(plane: NDArray[np.generic], line: NDArray[np.intp], reach: int) -> NDArray[np.generic]:
    """The pixels within ``reach`` rows of a line, straightened."""
    rows = (line + np.arange(-reach, reach + 1)[:, None]).clip(0, len(plane) - 1)
    return plane[rows, np.arange(plane.shape[1])]


def _erase(plane: Plane, line: NDArray[np.intp], reach: int, extent: slice, pen: float) -> None:
    """Clear a line within ``reach`` rows, but for ink that is stronger or goes on at both sides of it."""
    band = _band(plane, line, reach + 2)[:, extent]
    ink = band > 0.35 * pen
    level = float(np.median(band[reach + 2]))
    kept = band > max(level + _CLEARLY * (pen - level), 1.15 * level)
    above, below = ink[:2].any(axis=0), ink[-2:].any(axis=0)
    kept |= ink & dilate_mask(above[None], reach) & dilate_mask(below[None], reach)
    rows = (line + np.arange(-reach, reach + 1)[:, None]).clip(0, len(plane) - 1)[:, extent]
    plane[rows, np.arange(plane.shape[1])[extent]] = np.where(kept, band, 0)[2:-2]


def _without_teeth(plane: Plane, cleared: Plane, lines: NDArray[np.bool_], least: float) -> Plane:
    """Clear what hung on lines beside a digit that does not: the upright lines of a form's cells."""
    parts = connected_components(plane > least)
    if not parts.size:
        return cleared
    ink = plane.clip(0)
    first, last = parts.boxes()
    free = parts.sums(lines.astype(np.float32)) == 0
    mass = parts.sums(ink) * free
    digit = int(np.argmax(mass))
    rest = connected_components((cleared > least) & ~parts.mask(free))
    if not rest.size:
        return cleared
    masses = rest.sums(ink)
    if mass[digit] < 0.3 * masses.max():
        return cleared
    start, end = rest.boxes()
    room = 0.25 * (last[digit] - first[digit]).max()
    elsewhere = (start[:, 1] < first[digit, 1] - room) | (end[:, 1] > last[digit, 1] + room)
    beside = (end[:, 1] <= first[digit, 1]) | (start[:, 1] >= last[digit, 1])
    return np.where(rest.mask(elsewhere | beside), 0, cleared)


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


def _find_lines(plane: Plane, least: float, most: float) -> _Lines | None:
    """The lines along the rows of a plane that are stronger than ``least`` and span the picture."""
    height, width = plane.shape
    shifts = np.round(_slope(plane > least) * (np.arange(width) - width / 2)).astype(int)
    shifts += _bend(_shift(plane.clip(0, 4 * least), shifts))
    moved = _shift(plane, shifts)
    there = moved > 0.8 * least
    near = dilate_mask(there, 2)
    ends = max(4, width // 12)
    reaches = np.maximum(near[:, :ends].mean(axis=1), near[:, -ends:].mean(axis=1)) > 0.5
    covered = there.mean(axis=1)
    spans = (covered > 0.9) | ((covered > _SPANS) & reaches)
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
        if whole.max() > most:
            continue
        pieces = [np.median(piece, axis=1) for piece in np.array_split(band, _STRIPS // 2, axis=1)]
        local = np.minimum(np.stack(pieces), 1.25 * whole.max())
        wider = np.pad(local, ((0, 0), (1, 1)))  # a line may lie a row off
        local = np.maximum(np.maximum(wider[:, :-2], wider[:, 2:]), local)
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


def even_out(brightness: Plane) -> Plane:
    """Subtract the background of a picture whose border is uneven, (H, W), near 0 but for ink: negative if darker.

    Either the ink reaches all four sides, for the picture was cut to it, or a desk or a shadow is in it.
    """
    smooth = _box_mean(brightness, 1)
    thin = max(2, round(_THIN * min(brightness.shape)))
    reach = max(2, round(_WIDEST_STROKE * min(brightness.shape)))
    if _energy(smooth - _opening(smooth, thin)) > 3 * _energy(_closing(smooth, thin) - smooth):
        return _without_desk(brightness - _opening(smooth, reach))
    paper = _closing(smooth, reach)
    lamp = np.maximum(paper, 0.3 * paper.max())
    return -_without_desk((paper - brightness) * (float(np.median(paper)) / lamp))


def _energy(plane: Plane) -> float:
    return float(np.square(plane[plane > 0.4 * float(np.partition(plane, -9, axis=None)[-9])]).sum())


def _closing(plane: Plane, reach: int) -> Plane:
    return _slide(_slide(plane, reach, np.maximum), reach, np.minimum)


def _opening(plane: Plane, reach: int) -> Plane:
    return _slide(_slide(plane, reach, np.minimum), reach, np.maximum)


def _without_desk(plane: Plane) -> Plane:
    """Clear what follows the border for long: the strips of a desk narrower than strokes may be."""
    plane = plane - float(np.median(plane))
    strong = plane > 0.4 * float(np.partition(plane, -9, axis=None)[-9])
    parts = connected_components(strong)
    if parts.size == 0:
        return plane
    touching = np.zeros(strong.shape, dtype=np.float32)
    touching[[0, -1]] = touching[:, [0, -1]] = 1
    first, last = parts.boxes()
    contact = parts.sums(touching) / (2 * (last - first + 1).sum(axis=1))
    desk = dilate_mask(parts.mask(contact > 0.4), 3)
    return np.where(desk, 0, plane)


def cut_to_ink(brightness: Plane) -> Plane | None:
    """Subtract the background of a picture that was cut to its ink, (H, W), or None if it was not.

    Then thin ink reaches all four sides. What does so with something inside is a frame or a form.
    """
    ordered = np.sort(brightness, axis=None)
    low, high = ordered[brightness.size // 50], ordered[-1 - brightness.size // 50]
    sides = np.array(brightness.shape)
    margin = 1 + 0.04 * sides.min()
    dark = brightness < (low + high) / 2
    found = []
    for ink in (dark, ~dark):
        parts = connected_components(ink)
        if not parts.size:
            continue
        area = parts.sums(ink.astype(np.float32))
        large = area > 0.08 * area.max()
        first, last = (corner[large] for corner in parts.boxes())
        reaches = (first <= margin) & (last + margin >= sides - 1)
        joined = (first.min(axis=0) <= margin) & (last.max(axis=0) + margin >= sides - 1)
        if not joined.all() or enclosing(first, last).any():
            continue
        thick = _slide(ink.astype(np.float32), round(0.17 * sides.min()), np.minimum).any()
        if sides.max() < _SMALL or sides.max() > 2 * sides.min() or not (thick or share(border(ink)) > 0.5):
            found.append((not reaches.all(axis=1).any(), share(ink), ink))
    if found:
        _, _, ink = min(found, key=lambda one: one[:2])
        return brightness - float(np.median(brightness[~ink]))
    if sides.max() < _SMALL:
        return brightness - float(np.median(brightness[dark if share(dark) > 0.5 else ~dark]))
    return None


def enclosing(first: NDArray[np.intp], last: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which parts, of boxes (P, 2) and (P, 2), have another inside that may be a digit, (P,)."""
    height = (last - first + 1)[:, 0]
    inside = (first[None] > first[:, None]).all(axis=2) & (last[None] < last[:, None]).all(axis=2)
    return np.asarray((inside & (height[None] > 0.25 * height[:, None])).any(axis=1))


def _box_mean(plane: Plane, reach: int) -> Plane:
    """The mean of the (2 reach + 1)² pixels around each."""
    total = np.zeros_like(plane)
    padded = np.pad(plane, reach, mode="edge")
    height, width = plane.shape
    for y in range(2 * reach + 1):
        for x in range(2 * reach + 1):
            total += padded[y : y + height, x : x + width]
    return total / np.float32((2 * reach + 1) ** 2)


def _slide(plane: Plane, reach: int, extreme: np.ufunc) -> Plane:
    """The maximum or minimum within ``reach`` rows and columns, as if nothing lay outside."""
    outside = -np.inf if extreme is np.maximum else np.inf
    for _ in range(2):
        padded = np.pad(plane, ((reach, reach), (0, 0)), constant_values=outside)
        window, length = 1, 2 * reach + 1
        while 2 * window <= length:
            padded = extreme(padded[:-window], padded[window:])
            window *= 2
        rest = length - window
        plane = np.ascontiguousarray((extreme(padded[:-rest], padded[rest:]) if rest else padded).T)
    return plane
