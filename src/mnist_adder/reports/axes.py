"""Scales that show what matters: accuracies near 100 %, losses, learning rates."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, LogLocator, NullLocator

# Of the axis that is stretched towards 1: each step halves the mistakes, or nearly.
_LADDER = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9998, 0.9999)
_FEWEST_MISTAKES = 1e-4  # less is drawn as if it were this


def stretch_accuracy(axes: Axes, accuracies: Iterable[float]) -> None:
    """Give the y axis a logarithmic scale of mistakes, labelled with the accuracy.

    From 90 % to 99 % is then as far as from 99 % to 99.9 %: both mean a tenth of the mistakes. On a
    linear axis all that a good model does after its first epoch is one flat line.
    """
    known = [value for value in accuracies if math.isfinite(value)] or [0.0]
    fewest = _FEWEST_MISTAKES
    all_right = max(known) > _LADDER[-1]
    if all_right:  # which a logarithm has no place for: it is drawn as if it were half of the fewest mistakes
        fewest = max(min((1 - value for value in known if value < 1), default=0.002) / 2, fewest)
    lowest = max(step for step in _LADDER if step <= max(min(known), 0) and 1 - step > 1.9 * fewest)
    if all_right:  # "100 %" stands a hair below the end, where rounding cannot push it off the axis
        highest = 1 - fewest
        ticks = [step for step in _LADDER if step >= lowest and 1 - step > 1.3 * fewest] + [1 - 1.01 * fewest]
    else:
        highest = next(step for step in _LADDER if step > lowest and step >= max(known))
        ticks = [step for step in _LADDER if lowest <= step <= highest]
    functions = (lambda y: -np.log10(np.clip(1 - y, fewest, None)), lambda y: 1 - 10**-y)
    axes.set_yscale("function", functions=functions)
    axes.set_ylim(lowest, highest)
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(
        lambda value, _: f"{100 if value not in _LADDER else 100 * value:.4g}\u00a0%"
    )


def log_axis(axes: Axes, which: Literal["x", "y"], values: Iterable[float]) -> None:
    """Make the x or y axis logarithmic, with plain numbers as ticks, as many as fit."""
    known = [value for value in values if math.isfinite(value) and value > 0] or [1.0]
    low, high = min(known), max(known)
    room = (high / low) ** 0.06 if high > low else 1.5
    low, high = low / room, high * room
    steps: tuple[float, ...] = (1, 2, 5) if high / low < 3000 else (1,)
    if high / low < 15:
        steps = (1, 1.5, 2, 3, 4, 5, 7)
    axis = axes.xaxis if which == "x" else axes.yaxis
    axes.set(**{f"{which}scale": "log", f"{which}lim": (low, high)})
    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(lambda value, _: plain(value))


def plain(value: float) -> str:
    """A number as people write it: 0.0005, 20, 5,000, 2 million; never a power of ten unless it is tiny."""
    if value >= 1e6:
        return f"{value / 1e6:g}\u00a0million"
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.7f}".rstrip("0").rstrip(".") if value >= 1e-7 or value == 0 else f"{value:.0e}"
