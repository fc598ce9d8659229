"""A check that every figure passes, and the files of a real run."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import matplotlib.text
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from mnist_adder.reports.run_files import RunFiles, load_run_files
from mnist_adder.runs import Run


@pytest.fixture(scope="session")
def files(trained_run: Run) -> RunFiles:
    return load_run_files(trained_run)


@pytest.fixture
def legible(monkeypatch: pytest.MonkeyPatch) -> Callable[[Figure], list[str]]:
    """Draw a figure: no text may lie on another one or leave the figure; returns what is written in it."""

    def check(figure: Figure) -> list[str]:
        drawn: list[tuple[str, Bbox]] = []
        draw = matplotlib.text.Text.draw

        def note(text: matplotlib.text.Text, renderer: Any) -> None:
            draw(text, renderer)
            if text.get_visible() and text.get_text().strip():
                drawn.append((text.get_text(), text.get_window_extent(renderer)))

        with monkeypatch.context() as patch:
            patch.setattr(matplotlib.text.Text, "draw", note)
            FigureCanvasAgg(figure).draw()  # type: ignore[no-untyped-call]
        assert drawn, "nothing is written in the figure"
        for words, box in drawn:
            inside = figure.bbox.padded(0.5)
            assert inside.x0 <= box.x0 < box.x1 <= inside.x1, f"{words!r} leaves the figure sideways"
            assert inside.y0 <= box.y0 < box.y1 <= inside.y1, f"{words!r} leaves the figure"
        for (words, box), (other_words, other) in itertools.combinations(drawn, 2):
            assert not box.padded(-0.5).overlaps(other.padded(-0.5)), f"{words!r} lies on {other_words!r}"
        return [words for words, _ in drawn]

    return check
