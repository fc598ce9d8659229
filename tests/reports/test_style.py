"""Colours can be read, percentages never round up to all, a file is the same each time."""

from __future__ import annotations

import base64
import io
import re
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from mnist_adder.reports.figures import accuracy_curves, answers
from mnist_adder.reports.run_files import RunFiles
from mnist_adder.reports.style import INK, MARKERS, MUTED, PAPER, SERIES, percent, png, probability, svg


def luminance(colour: str) -> float:
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_everything_that_is_written_can_be_read() -> None:
    for ink in (INK, MUTED):
        assert (luminance(PAPER) + 0.05) / (luminance(ink) + 0.05) >= 4.5


def test_things_of_one_kind_differ_in_colour_and_marker() -> None:
    assert len(set(SERIES)) == len(SERIES) == len(set(MARKERS)) >= 6


@pytest.mark.parametrize(
    ("fraction", "places", "text"),
    [
        (0.9956, 2, "99.56 %"),
        (1, 2, "100.00 %"),
        (0.99999, 2, ">99.99 %"),
        (0.99951, 1, ">99.9 %"),
        (0.9994, 1, "99.9 %"),
        (0, 2, "0.00 %"),
    ],
)
def test_percent(fraction: float, places: int, text: str) -> None:
    assert percent(fraction, places).replace("\u00a0", " ") == text


def test_no_probability_is_shown_as_certain() -> None:
    shown = [probability(value).replace("\u00a0", " ") for value in (1.0, 0.99999997, 0.9991, 0.75, 0.0)]
    assert shown == [">99.9 %", ">99.9 %", "99.9 %", "75.0 %", "0.0 %"]


def draw(files: RunFiles) -> Figure:
    return accuracy_curves({"": files.metrics})


def test_a_png_has_content_and_is_the_same_each_time(files: RunFiles) -> None:
    content = png(draw(files))
    picture = Image.open(io.BytesIO(content))
    assert picture.width == 9 * 144
    pixels = np.asarray(picture.convert("RGB")).reshape(-1, 3)
    assert 0.5 < (pixels == 255).all(1).mean() < 0.99  # white paper, and something on it
    assert {(0, 114, 178), (213, 94, 0)} <= {tuple(map(int, pixel)) for pixel in np.unique(pixels, axis=0)}
    assert png(draw(files)) == content


def test_an_svg_is_well_formed_transparent_and_refers_to_nothing_outside(files: RunFiles) -> None:
    text = svg(answers(files.samples))
    root = ET.fromstring(text.encode())
    references = re.findall(r'href="([^"]*)"', text)
    assert len(references) >= len(files.samples.images)
    assert all(one.startswith(("#", "data:image/png;base64,")) for one in references)
    assert not re.findall(r"url\((?!#)", text)
    assert "#ffffff" not in svg(draw(files)), "a background would show on a dark page"
    ink = Image.open(io.BytesIO(base64.b64decode(references[0].partition(",")[2])))
    assert ink.size == (28, 28), "images keep their own pixels"
    assert root.tag.endswith("svg")


def test_what_is_written_is_text_and_escaped(files: RunFiles) -> None:
    text = svg(accuracy_curves({"<script>": files.metrics, "other": files.metrics}))
    assert "<script>" not in text
    written = ["".join(element.itertext()) for element in ET.fromstring(text.encode()).iter()]
    assert {"<script>", "other", "digit", "epoch"} <= set(written)
    assert "sans-serif" in text, "where the font is missing"


@pytest.mark.parametrize(
    "setting", [{"font.size": 30.0}, {"svg.fonttype": "path"}, {"axes.facecolor": "red"}]
)
def test_the_users_settings_change_nothing_and_come_back(setting: dict[str, object], files: RunFiles) -> None:
    usual = svg(draw(files))
    with matplotlib.rc_context(setting):  # type: ignore[arg-type]
        assert svg(draw(files)) == usual
        now: Any = matplotlib.rcParams
        assert all(now[name] == value for name, value in setting.items())


def test_threads_draw_what_one_alone_draws(files: RunFiles) -> None:
    with ThreadPoolExecutor(4) as threads:
        drawn = list(threads.map(lambda _: svg(draw(files)), range(4)))
    assert set(drawn) == {svg(draw(files))}
