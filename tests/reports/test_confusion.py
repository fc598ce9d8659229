"""Confusion matrices: every count that is not zero is written, and shaded by its share of the row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mnist_adder.reports.confusion import LEVELS, digit_confusion, level, sum_confusion
from mnist_adder.reports.contents import Contents
from mnist_adder.reports.style import COLOURS

Legible = Callable[[Figure], list[str]]


@pytest.mark.parametrize(("draw", "what"), [(digit_confusion, "digit"), (sum_confusion, "sum")])
def test_the_counts_are_those_of_the_results(
    draw: Callable[..., Figure], what: str, contents: Contents, legible: Legible
) -> None:
    counts = contents.results[f"{what}_confusion"]
    figure = draw(counts)
    axes = figure.axes[0]
    written = {text.get_position(): text.get_text() for text in axes.texts}
    for truth, row in enumerate(counts):
        for answer, count in enumerate(row):
            expected = f"{count:,}" if count or truth == answer else None
            assert written.get((answer, truth)) == expected
    assert {f"{what} answered", f"true {what}", "right"} <= set(legible(figure))


def test_as_many_pairs_as_mnist_has_fit(legible: Legible) -> None:
    full = [[10_000 - abs(truth - answer) for answer in range(19)] for truth in range(19)]
    legible(sum_confusion(full))
    legible(digit_confusion([row[:10] for row in full[:10]]))


def test_a_shade_is_a_share_of_the_row(legible: Legible) -> None:
    counts = [[0] * 10 for _ in range(10)]
    counts[3] = [1, 0, 2, 9900, 5, 17, 75, 0, 0, 0]
    counts[7][1] = 40  # a digit that was never right, and eight that never came
    figure = digit_confusion(counts)
    faces = {
        (round(patch.get_x() + patch.get_width() / 2), round(patch.get_y() + patch.get_height() / 2)): to_hex(
            patch.get_facecolor()
        )
        for patch in figure.axes[0].patches
        if isinstance(patch, Rectangle)
    }
    assert faces[0, 3] == COLOURS["mistake-1"][0]
    assert faces[5, 3] == COLOURS["mistake-2"][0]
    assert faces[6, 3] == COLOURS["mistake-3"][0]
    assert faces[1, 7] == COLOURS["mistake-6"][0]
    assert faces[3, 3] == faces[7, 7] == COLOURS["blue-tint"][0]
    words = Counter(legible(figure))
    assert words["none"] == 8
    assert words["0.0\u00a0%"] == 1


def test_levels() -> None:
    assert [level(start) for start in LEVELS] == [1, 2, 3, 4, 5, 6]
    assert level(0.00099) == 1
    assert level(1) == 6
