"""PNG and SVG: the same each time, real content, nothing that clashes with or leaks into the page."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from mnist_adder.reports.contents import Contents
from mnist_adder.reports.curves import accuracy_curves
from mnist_adder.reports.pictures import samples
from mnist_adder.reports.render import png, svg
from mnist_adder.reports.style import COLOURS


def draw(contents: Contents) -> Figure:
    return accuracy_curves({"": contents.metrics})


def test_a_png_has_content_and_is_the_same_each_time(contents: Contents) -> None:
    content = png(draw(contents))
    picture = Image.open(io.BytesIO(content))
    assert picture.width == 9 * 144
    pixels = np.asarray(picture.convert("RGB")).reshape(-1, 3)
    assert 0.5 < (pixels == 255).all(1).mean() < 0.99  # white paper, and something on it
    assert {(0, 114, 178), (213, 94, 0)} <= {
        (int(r), int(g), int(b)) for r, g, b in np.unique(pixels, axis=0)
    }
    assert png(draw(contents)) == content


def test_an_svg_takes_its_colours_from_the_page(contents: Contents) -> None:
    text = svg(draw(contents), "name", "a label")
    colours = set(re.findall(r"var\(--([a-z0-9-]+)\)", text))
    assert {"ink", "grid", "blue", "vermillion"} <= colours <= set(COLOURS)
    assert not re.findall(r"(?:fill|stroke): *#[0-9a-f]{3,6}", text)


def test_an_svg_is_well_formed_and_refers_to_nothing_outside(contents: Contents) -> None:
    text = svg(samples(contents.samples), "name", 'a "label" <with> signs & such')
    root = ET.fromstring(text)
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == 'a "label" <with> signs & such'
    assert "http" not in text
    assert "<style" not in text
    references = [element.attrib["href"] for element in root.iter() if "href" in element.attrib]
    assert references
    assert all(reference.startswith(("#name-", "data:image/png;base64,")) for reference in references)
    ids = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    assert len(set(ids)) == len(ids)
    assert all(one.startswith("name-") for one in ids)
    wanted = set(re.findall(r"url\(#([^)]*)\)", text)) | {ref[1:] for ref in references if ref[0] == "#"}
    assert wanted == set(ids)


def test_what_is_written_is_text_and_escaped(contents: Contents) -> None:
    text = svg(accuracy_curves({"<script>": contents.metrics, "other": contents.metrics}), "name", "")
    assert "<script>" not in text
    written = ["".join(element.itertext()) for element in ET.fromstring(text).iter("text")]
    assert {"<script>", "other", "digit", "epoch"} <= set(written)


@pytest.mark.parametrize(
    "setting", [{"font.size": 30.0}, {"svg.fonttype": "path"}, {"axes.facecolor": "red"}]
)
def test_the_users_settings_change_nothing(setting: dict[str, object], contents: Contents) -> None:
    usual = svg(draw(contents), "name", "")
    with matplotlib.rc_context(setting):  # type: ignore[arg-type]
        assert svg(draw(contents), "name", "") == usual


def test_threads_draw_what_one_alone_draws(contents: Contents) -> None:
    with ThreadPoolExecutor(4) as threads:
        drawn = list(threads.map(lambda _: svg(draw(contents), "name", ""), range(4)))
    assert set(drawn) == {svg(draw(contents), "name", "")}
