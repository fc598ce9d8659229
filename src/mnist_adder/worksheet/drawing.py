"""A drawing of the small network: which weight joins which nodes.

Nothing comes in; a PNG goes out, for the sheet Derivation.
"""

from __future__ import annotations

import io

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

PLACES = {
    "i1": (0, 1), "i2": (0, 0), "h1": (1, 1), "h2": (1, 0), "o1": (2, 1), "o2": (2, 0),
    "b1": (0.5, -0.75), "b2": (1.5, -0.75),
}  # fmt: skip
EDGES = (
    ("i1", "h1", "w1"), ("i2", "h1", "w2"), ("i1", "h2", "w3"), ("i2", "h2", "w4"),
    ("h1", "o1", "w5"), ("h2", "o1", "w6"), ("h1", "o2", "w7"), ("h2", "o2", "w8"),
    ("b1", "h1", ""), ("b1", "h2", ""), ("b2", "o1", ""), ("b2", "o2", ""),
)  # fmt: skip
"""From, to, weight."""
COLOURS = {"i": "#FFF2CC", "b": "#FFF2CC", "h": "#E8F1FA", "o": "#DDF0DD"}


def draw_network() -> bytes:
    """The network as a PNG, 1404 x 720 pixels."""
    figure = Figure(figsize=(7.8, 4), dpi=180)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-0.3, 3.25), ylim=(-1.05, 1.35))
    axes.set_axis_off()
    for start, end, weight in EDGES:
        (x0, y0), (x1, y1) = PLACES[start], PLACES[end]
        axes.annotate("", (x1, y1), (x0, y0), zorder=1, arrowprops={
            "arrowstyle": "-|>", "shrinkA": 18, "shrinkB": 20, "color": "#7B8794",
            "linestyle": "-" if weight else ":"})  # fmt: skip
        if weight:  # nearer to where it ends, where no two meet
            x, y = x0 + 0.68 * (x1 - x0), y0 + 0.68 * (y1 - y0)
            axes.text(x, y, weight, ha="center", va="center", fontsize=11, color="#0B4F9E", zorder=3,
                      bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5})  # fmt: skip
    for name, (x, y) in PLACES.items():
        axes.plot(x, y, "o", markersize=36, color=COLOURS[name[0]], markeredgecolor="#1F2933", zorder=2)
        text = f"{name}\na_{name}" if name[0] in "ho" else name
        axes.text(x, y, text, ha="center", va="center", fontsize=10, zorder=4)
    for place, y in (("1", 1), ("2", 0)):
        axes.text(2.28, y, f"→ E{place} = ½ (t{place} − a_o{place})²", va="center", fontsize=9)
    png = io.BytesIO()
    figure.savefig(png, metadata={"Software": None})
    return png.getvalue()
