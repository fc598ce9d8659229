"""Finds the background of pictures in which it is not even: desks, hard shadows, digits cut out to their ink.

Most pictures have none of these, and their border shows it; :mod:`preprocess` then fits a surface, which is
quicker and as good.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mnist_adder.inference.lines import SMALL, enclosing, largest
from mnist_adder.inference.morphology import border, connected_components, dilate_mask, median, share
from mnist_adder.inference.picture import Plane

_OFF = 0.06  # how far the border's brightness lies off its background where something is on it
_UNEVEN = 0.08  # the share of the border that ruling does not make odd, but desks and shadows do
_WIDE, _THIN = 0.1, 0.03  # half the width of wide and thin strokes, in shorter sides of the picture
_ALONG = 0.4  # how much of the outline of its box a strip of a desk has along the border


def border_is_odd(plane: Plane) -> bool:
    """Whether anything lies on the border of a picture less its background, (H, W)."""
    ring = np.abs(border(plane))
    return bool((ring > max(_OFF, 6 * float(median(np.abs(np.diff(ring)))))).any())


def subtract_background(brightness: Plane, plane: Plane) -> tuple[Plane, bool]:
    """Subtract the background of a picture with an odd border.

    Args:
        brightness: (H, W), the picture.
        plane: (H, W), the picture less an even background.

    Returns:
        (H, W), near 0 but for ink and, if not many pixels of the border are odd, ruling; and whether the
        picture was cut to its ink.
    """
    cut = _cut_to_ink(brightness)
    odd: NDArray[np.bool_] = np.abs(border(plane)) > _OFF
    if share(odd) > _UNEVEN:
        plane = _even_out(brightness) if cut is None else cut
    return plane, cut is not None


def _cut_to_ink(brightness: Plane) -> Plane | None:
    """Subtract the background of a picture that was cut to its ink, (H, W), or None if it was not.

    Then thin ink reaches all four sides. What does so with something inside is a frame or a form.
    """
    ordered = np.sort(brightness, axis=None)
    few = brightness.size // 50
    dark = brightness < (ordered[few] + ordered[-1 - few]) / 2
    sides = np.array(brightness.shape)
    margin = 1 + 0.04 * sides.min()
    found = []
    for ink in (dark, ~dark):
        parts = connected_components(ink)
        if not parts.size or ink.all():
            continue
        area = parts.sums(ink.astype(np.float32))
        large = largest(area, 0.08)
        first, last = (corner[large] for corner in parts.boxes())
        reaches = ((first <= margin) & (last + margin >= sides - 1)).all(axis=1).any()
        together = (first.min(axis=0) <= margin) & (last.max(axis=0) + margin >= sides - 1)
        if not together.all() or enclosing(first, last).any():
            continue
        narrow = max(sides) > 2 * min(sides)  # a 1, whose stroke may fill it
        thick = not narrow and _is_thick(ink)
        if narrow or max(sides) < SMALL or not (thick or share(border(ink)) > 0.5):
            found.append((thick, not reaches, share(ink), ink))  # one thin part is likelier than several
    if found:
        ink = min(found, key=lambda one: one[:3])[3]
    elif max(sides) < SMALL:
        ink = dark if share(dark) < 0.5 else ~dark
    else:
        return None
    return brightness - float(np.median(brightness[~ink]))


def _is_thick(ink: NDArray[np.bool_]) -> bool:
    """Whether a square of a third of the picture fits into a mask, which is too large for a stroke."""
    return bool(_slide(ink.astype(np.float32), round(0.17 * min(ink.shape)), np.minimum).any())


def _even_out(brightness: Plane) -> Plane:
    """Subtract what is left when strokes are painted over, (H, W): the light everywhere, and desks.

    In a shadow ink and paper are darker by the same factor, so that the difference is divided by the light.
    """
    smooth = _smooth(brightness)
    thin, wide = (max(2, round(width * min(brightness.shape))) for width in (_THIN, _WIDE))
    sheet = -_opening(-smooth, wide)
    if _energy(smooth - _opening(smooth, thin)) > 3 * _energy(-_opening(-smooth, thin) - smooth):
        board = _opening(smooth, wide)  # between bold strokes paper is as narrow as chalk, but has less of it
        if _energy(smooth - board) > _energy(sheet - smooth):
            return _without_strips(brightness - board)
    light = np.maximum(sheet / max(float(sheet.max()), 1e-3), 0.3)
    return -_without_strips((sheet - brightness) / light)


def _energy(plane: Plane) -> float:
    """The sum of the squares of what stands out."""
    peak = float(np.partition(plane, -9, axis=None)[-9])
    return float(np.square(plane[plane > 0.4 * peak]).sum())


def _without_strips(plane: Plane) -> Plane:
    """Clear what follows the border for long, (H, W): strips of a desk that are as narrow as strokes."""
    plane = plane - float(np.median(plane))
    strong = plane > 0.4 * float(np.partition(plane, -9, axis=None)[-9])
    parts = connected_components(strong)
    if not parts.size:
        return plane
    on_border = np.zeros_like(plane)
    on_border[[0, -1]] = on_border[:, [0, -1]] = 1
    first, last = parts.boxes()
    along = parts.sums(on_border) / (2 * (last - first + 1).sum(axis=1))
    return np.where(dilate_mask(parts.mask(along > _ALONG), 3), np.float32(0), plane)


def _smooth(plane: Plane) -> Plane:
    """The mean of 3 x 3 pixels: noise would be taken for light."""
    padded = np.pad(plane, 1, mode="edge")
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    return np.asarray((rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) / 9, dtype=np.float32)


def _opening(plane: Plane, reach: int) -> Plane:
    """Remove what is brighter and narrower than 2 ``reach`` + 1 pixels; steps stay as sharp as they are."""
    return _slide(_slide(plane, reach, np.minimum), reach, np.maximum)


def _slide(plane: Plane, reach: int, extreme: np.ufunc) -> Plane:
    """The maximum or minimum within ``reach`` rows and columns, as if nothing lay outside."""
    outside = -np.inf if extreme is np.maximum else np.inf
    length = 2 * reach + 1
    for _ in range(2):  # rows, then columns; each step doubles the window
        plane = np.pad(plane, ((reach, reach), (0, 0)), constant_values=outside)
        window = 1
        while window < length:
            step = min(window, length - window)
            plane = extreme(plane[:-step], plane[step:])
            window += step
        plane = np.ascontiguousarray(plane.T)
    return plane
