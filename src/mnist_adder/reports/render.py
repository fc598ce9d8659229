"""From a Figure to a file: PNG for anywhere, SVG for the page.

A Figure comes in; bytes, or text to be put into HTML, go out. The same figure gives the same output.
"""

from __future__ import annotations

import html
import io
import re

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mnist_adder.reports.style import COLOURS, PAPER, styled

DPI = 144
"""Dots per inch of a PNG: 1296 pixels across, sharp on paper and on a fine screen."""


@styled
def png(figure: Figure) -> bytes:
    """The figure on white paper."""
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, facecolor=PAPER, metadata={"Software": None})
    return buffer.getvalue()


@styled
def svg(figure: Figure, name: str, label: str) -> str:
    """The figure as an ``<svg>`` element for an HTML page, in colours that the page sets.

    Args:
        figure: any.
        name: of the figure, no other one on the page may have it: ids begin with it.
        label: what a reader who cannot see it is told.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)  # it would hold for the whole page
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"\s*\n\s*", "\n", text).replace("xlink:href", "href")
    text = _with_own_ids(text, name)
    text = _with_page_colours(text)
    # The page's own type; whatever it is, it runs narrower than what the figure is laid out with.
    text = re.sub(r" font-family: [^;\"]*;", "", text)
    text = re.sub(r' transform="rotate\(-0 [^"]*"', "", text)
    view = re.search(r'viewBox="[^"]*"', text)
    assert view is not None
    head = f'<svg role="img" aria-label="{html.escape(label)}" {view[0]}>'
    return re.sub(r"^<svg[^>]*>", lambda _: head, text).strip()


def _with_own_ids(text: str, name: str) -> str:
    """Number the ids that are used, and drop the others: two figures on a page must share none."""
    used = set(re.findall(r'url\(#([^)]*)\)|href="#([^"]*)"', text))
    wanted = {first or second for first, second in used}
    names = {old: f"{name}-{place}" for place, old in enumerate(re.findall(r'\sid="([^"]*)"', text))}
    text = re.sub(r'\sid="([^"]*)"', lambda m: f' id="{names[m[1]]}"' if m[1] in wanted else "", text)
    text = re.sub(r"url\(#([^)]*)\)", lambda m: f"url(#{names[m[1]]})", text)
    return re.sub(r'href="#([^"]*)"', lambda m: f'href="#{names[m[1]]}"', text)


def _with_page_colours(text: str) -> str:
    variables = {paper: f"var(--{name})" for name, (paper, _) in COLOURS.items()}
    return re.sub(r"#[0-9a-f]{6}\b", lambda m: variables.get(m[0], m[0]), text)
