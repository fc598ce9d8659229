"""Characters of our own: digits as people write them whom no dataset knows, and scribbles.

Few or no characters of MNIST and UNIPEN are a 9 with a curled foot, an open 4 in two strokes, or a 1 with a
long flag and a foot. Each is drawn from a skeleton of points (x, y), y downwards, in a box of side 1, whose
proportions and points are random.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from mnist_adder.data.strokes import Character, Stroke
from mnist_adder.types import NO_DIGIT

_Points = Sequence[tuple[float, float]]


def rare_digit(random: np.random.Generator) -> Character:
    """A 1, a 4 or a 9 in one of these styles."""
    write, digit = _WRITERS[int(random.integers(len(_WRITERS)))]
    return Character(write(random), digit, validation=False)


def scribble(random: np.random.Generator) -> Character:
    """Lines that mean nothing: one long one, or a few."""
    count = random.integers(1, 5)
    points = random.integers(7, 14) if count == 1 else random.integers(3, 7)
    strokes = [_smooth(random.uniform(0, 1, (points, 2))) for _ in range(count)]
    return Character(strokes, NO_DIGIT, validation=False)


def _one(random: np.random.Generator) -> list[Stroke]:
    """A stem with a flag, straight or curved, short if it falls little, and perhaps a foot."""
    top, degrees = random.uniform(0.45, 0.55), random.uniform(8, 65)
    angle, length = np.radians(degrees), random.uniform(0.2, 0.75 if degrees > 25 else 0.42)
    tip = (top - length * np.cos(angle), length * np.sin(angle))
    middle = ((top + tip[0]) / 2 + random.uniform(-0.02, 0.06), tip[1] / 2 + random.uniform(0, 0.06))
    flag = _smooth(_jitter(random, [tip, middle, (top, 0)] if random.random() < 0.5 else [tip, (top, 0)]))
    stem = [np.concatenate([flag, _jitter(random, [(top + random.normal(0, 0.05), 1)])])]
    reach = random.uniform(0.15, 0.4)
    return stem + [_jitter(random, [(top - reach, 1), (top + reach, 1)])] * int(random.random() < 0.5)


def _four(random: np.random.Generator) -> list[Stroke]:
    """An open 4 in two strokes: down and to the right, then a second stroke, often a short one."""
    level, column, lean = random.uniform(0.5, 0.78), random.uniform(0.5, 0.85), random.uniform(-0.05, 0.45)
    start, corner = (random.uniform(0.05, 0.2) + lean, 0.0), (random.uniform(0, 0.15), level)
    end = (random.uniform(column - 0.06, 1.02), level + random.normal(0, 0.05))
    first = _jitter(random, [start, corner, end])
    if random.random() < 0.4:  # round
        belly = ((start[0] + corner[0]) / 2 - random.uniform(0, 0.12), level / 2)
        turn = [(corner[0], level - 0.1), (corner[0] + 0.1, level + 0.02)]
        first = _smooth(_jitter(random, [start, belly, *turn, end]))
    top, foot = (column + random.uniform(-0.02, 0.1), random.uniform(-0.05, 0.45)), random.uniform(0.9, 1.05)
    return [first, _jitter(random, [top, (column + random.normal(-0.03, 0.05), foot)])]


def _nine(random: np.random.Generator) -> list[Stroke]:
    """A loop, open or closed, and a stem that mostly ends in a curl to the left."""
    wide, high = random.uniform(0.2, 0.36), random.uniform(0.17, 0.28)
    gap = random.uniform(0, 0.3) * (random.random() < 0.5)
    turns = np.radians(random.uniform(-75, 5)) - np.linspace(0, 2 * np.pi * (1 - gap), 9)
    loop = [(0.5 + wide * np.cos(turn), high + high * np.sin(turn)) for turn in turns]
    joint = [(0.5 + wide * random.uniform(0.8, 1), high * random.uniform(0.2, 0.9))] * int(gap > 0)
    stem = [(0.5 + wide, high + 0.15), (0.5 + wide * random.uniform(0.8, 1.1), 0.72)]
    curl = random.uniform(0.3, 1.3)
    foot = [
        (0.5 + random.uniform(0, 0.18), 1.0),
        (0.5 - 0.6 * wide * curl, random.uniform(0.9, 1)),
        (0.5 - wide * curl, random.uniform(0.72, 0.92)),
    ]
    if random.random() < 0.2:
        foot = [(0.5 + wide * random.uniform(0.5, 1), 1.0)]
    return [_smooth(_jitter(random, [*loop, *joint, *stem, *foot]))]


_WRITERS: Sequence[tuple[Callable[[np.random.Generator], list[Stroke]], int]] = (
    (_one, 1),
    (_four, 4),
    (_nine, 9),
)


def _jitter(random: np.random.Generator, points: _Points) -> Stroke:
    return np.array(points) + random.normal(0, 0.018, (len(points), 2))


def _smooth(points: Stroke) -> Stroke:
    """A Catmull-Rom spline through the points, twelve steps from each to the next."""
    if len(points) < 3:
        return points
    ends = [2 * points[0] - points[1]], [2 * points[-1] - points[-2]]
    knots = np.concatenate([ends[0], points, ends[1]])
    before, here, there, beyond = knots[:-3], knots[1:-2], knots[2:-1], knots[3:]
    t = np.linspace(0, 1, 12, endpoint=False)[:, None, None]
    quadratic = 2 * before - 5 * here + 4 * there - beyond
    cubic = 3 * here - before - 3 * there + beyond
    curve = here + t / 2 * (there - before) + t**2 / 2 * quadratic + t**3 / 2 * cubic  # (12, P - 1, 2)
    return np.concatenate([curve.transpose(1, 0, 2).reshape(-1, 2), points[-1:]])
