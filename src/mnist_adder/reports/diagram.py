"""The drawing of a network: from its two inputs at the top, to the place where they meet, to its two answers.

What follows what is read from the graph that ``torch.export`` makes of the model, so additions across layers
and heads side by side are drawn as they are. Lengths are inches, y downwards from the top.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path
from torch import fx

from mnist_adder.models import Adder
from mnist_adder.reports.style import BLUE, GREEN, INK, MUTED, ORANGE, PAPER, SMALL, WIDTH, styled
from mnist_adder.reports.tables import describe, times
from mnist_adder.types import SIDE

_COMPUTE = (torch.ops.aten.conv2d.default, torch.ops.aten.linear.default)
_OPERATORS = {
    "view": "",
    "to": "",
    "index": "look-up",
    "sub": "minus mean",
    "div": "by deviation",
    "cat": "join",
}
_VALUES = {"image": "1 × 28 × 28", "number": "0 … 9", "digit": "0 … 9", "sum": "0 … 18"}
_LANES = {"image": (3.1, 3.7), "number": (7.2, 3.2), "both": (5.0, 3.7)}  # middle and width
_COLOURS = {"image": (BLUE, "#e4f0f8"), "number": (ORANGE, "#fcf1da"), "both": (GREEN, "#dff3ec")}
_GAP = 0.32  # from one row to the next: room for the shape beside the arrow
_LINE = 0.15  # height of a line of small type


@dataclass(eq=False)
class Box:
    """An input, an answer, a place where paths meet, or a computing layer with what comes after it."""

    reads: str  # image, number or both
    sources: list[Box]
    name: str = ""  # of an input or an answer
    words: list[str] = field(default_factory=list)  # its layers in order, then the lines that are drawn
    shape: tuple[int, ...] = ()  # of its output, for one pair
    parameters: int = 0
    computes: bool = False  # it begins with a convolution or a linear layer
    note: str = ""  # to the right of the first line
    x: float = 0.0  # of its middle
    width: float = 0.0
    top: float = 0.0
    bottom: float = 0.0


def trace(model: Adder) -> list[Box]:
    """The boxes in the order of their work; the last two are the answers, digit and sum."""
    example = (torch.zeros(2, 1, SIDE, SIDE), torch.zeros(2, dtype=torch.int64))
    program = torch.export.export(model, example)
    modules, weights = dict(model.named_modules()), dict(model.named_parameters())
    names = program.graph_signature.inputs_to_parameters
    boxes: list[Box] = []
    homes: dict[fx.Node, Box] = {}  # of each node that depends on an input, its box
    for node in program.graph.nodes:
        before = [source for source in node.all_input_nodes if source in homes]
        if node.op == "output":
            break
        if node.name in ("images", "numbers"):
            name = node.name.removesuffix("s")
            homes[node] = Box(name, [], name)
            boxes.append(homes[node])
        if not before or not node.users:  # a constant, or a check that export has added
            continue
        if len(before) == 1 and _users(before[0]) == 1 and node.target not in _COMPUTE:
            homes[node] = homes[before[0]]
        else:
            homes[node] = _new_box(node, [homes[source] for source in before], boxes)
        box = homes[node]
        module = modules[[*node.meta["nn_module_stack"].values()][-1][0]]
        operator = node.target.__name__.partition(".")[0]
        said = _OPERATORS.get(operator, operator) if any(module.children()) else describe(module)
        if said not in ("", *box.words[-1:]):
            box.words.append(said)
        box.shape = tuple(node.meta["val"].shape[1:])
        # A weight that is used again counts where it is used first.
        used = [names[source.name] for source in node.all_input_nodes if source.name in names]
        box.parameters += sum(weights.pop(name).numel() for name in used if name in weights)
    answers = zip(("digit", "sum"), (homes[source] for source in before), strict=True)
    return [*boxes, *(Box(source.reads, [source], name) for name, source in answers)]


def _users(node: fx.Node) -> int:
    return sum(bool(user.users) or user.op == "output" for user in node.users)


def _new_box(node: fx.Node, sources: list[Box], boxes: list[Box]) -> Box:
    words = []
    for place, source in enumerate(sources):
        if len(sources) > 1 and len(source.sources) == 1 and not source.computes:
            # Such as a softmax of what is an answer as well: it belongs to the place where paths meet.
            boxes.remove(source)
            words += source.words
            sources[place] = source.sources[0]
    reads = {source.reads for source in sources}
    read = reads.pop() if len(reads) == 1 else "both"
    boxes.append(Box(read, sources, words=words, computes=node.target in _COMPUTE))
    return boxes[-1]


@styled
def network(model: Adder) -> Figure:
    """Draw a model's inputs, layers and answers, and say in its own words how the inputs meet."""
    boxes = trace(model)
    meetings = (box for box in boxes if {source.reads for source in box.sources} >= {"image", "number"})
    if meeting := next(meetings, None):
        meeting.words = ["the two inputs meet", *textwrap.wrap(model.fusion, 100), ", ".join(meeting.words)]
    _arrange(boxes, meeting)
    height = boxes[-1].bottom + 0.12
    figure = Figure((WIDTH, height))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(height, 0))
    axes.set_axis_off()
    for box in boxes:
        _draw_box(axes, box, heavy=box is meeting)
        for source in box.sources:
            between = [other for other in boxes if source.bottom < other.top and other.bottom < box.top]
            _draw_arrow(axes, source, box, direct=all(abs(other.x - box.x) > 1 for other in between))
    return figure


def _arrange(boxes: list[Box], meeting: Box | None) -> None:
    """Give each box its lines and its place; those of equal depth stand in one row."""
    depths: dict[Box, int] = {}
    for box in boxes:
        depths[box] = 1 + max((depths[source] for source in box.sources), default=-1)
    depths[boxes[-2]] = depths[boxes[-1]] = max(depths.values())  # both answers at the bottom
    bottom = 0.12 - _GAP
    for depth in range(max(depths.values()) + 1):
        row = [box for box in boxes if depths[box] == depth]
        for box in row:
            middle, width = _LANES[box.reads]
            beside = [other for other in row if other.reads == box.reads]
            share = width / len(beside)
            box.x, box.width = middle + share * (beside.index(box) - (len(beside) - 1) / 2), share - 0.1
            if box is meeting:
                box.width = 7.6
            elif box.words == ["add"]:
                box.words, box.width = ["+"], 0.4
            elif box.name:
                box.words, box.note = [box.name, *textwrap.wrap(", ".join(box.words), 28)], _VALUES[box.name]
                box.width = min(box.width, 2.0)
                if (box.name, box.reads) == ("digit", "image"):  # past the place where the number comes in
                    box.x, box.width = 0.65, 1.1
            else:
                box.words[1:] = textwrap.wrap(", ".join(box.words[1:]), int(box.width * 14))
                box.note = f"{box.parameters:,} parameters" if box.parameters else ""
                if box.width < 2.6:  # no room for both in one line
                    box.words, box.note = [*box.words, box.note], ""
            box.top = bottom + _GAP
            box.bottom = box.top + 0.28 + _LINE * (len(box.words) - 1)
        bottom = max(box.bottom for box in row)


def _draw_box(axes: Axes, box: Box, *, heavy: bool) -> None:
    edge, face = _COLOURS[box.reads]
    if heavy or box.name:
        edge, face = INK if heavy or box.sources else edge, PAPER
    left, right, y = box.x - box.width / 2, box.x + box.width / 2, box.top + 0.14
    shape = FancyBboxPatch((left, box.top), box.width, box.bottom - box.top, "round,pad=0,rounding_size=0.06")
    shape.set(facecolor=face, edgecolor=edge, linewidth=1.8 if heavy or box.name else 1.0)
    axes.add_patch(shape)
    axes.text(left + 0.12, y, box.words[0], va="center", weight="bold")
    axes.text(right - 0.12, y, box.note, ha="right", va="center", size=SMALL, color=MUTED)
    for place, line in enumerate(box.words[1:]):
        axes.text(left + 0.12, y + 0.19 + _LINE * place, line, va="center", size=SMALL)
    axes.text(box.x + 0.1, box.bottom + 0.11, times(box.shape), va="center", size=SMALL - 0.5, color=MUTED)


def _draw_arrow(axes: Axes, source: Box, box: Box, *, direct: bool) -> None:
    """From a box to a later one: straight down, with a bend, or past what lies between."""
    bend = box.top - 0.12
    points = [(source.x, source.bottom), (source.x, bend), (box.x, bend), (box.x, box.top)]
    if (box.name, box.reads) == ("digit", "image"):
        level = (source.top + source.bottom) / 2
        points = [(source.x - source.width / 2, level), (box.x, level), (box.x, box.top)]
    elif not direct:
        branch, aside = source.bottom + 0.21, _LANES[box.reads][0] + _LANES[box.reads][1] / 2 + 0.15
        level, right = (box.top + box.bottom) / 2, box.x + box.width / 2
        points = [(source.x, branch), (aside, branch), (aside, level), (right, level)]
    elif abs(source.x - box.x) < box.width / 2:
        points = [(source.x, source.bottom), (source.x, box.top)]
    arrow = FancyArrowPatch(path=Path(points), arrowstyle="-|>,head_length=0.35,head_width=0.2")
    # Below the boxes, whose edges stay whole.
    arrow.set(mutation_scale=12, facecolor=MUTED, edgecolor=MUTED, linewidth=1.1, zorder=0.5)
    axes.add_patch(arrow)
