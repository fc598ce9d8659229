"""Reading results and writing them as Markdown, for the tables of ``tables.py``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mnist_adder.reports.comparison import plus_minus

RESULTS = Path(__file__).parent.parent / "results"


def read(name: str) -> Any:
    """The content of a JSON file in results/."""
    return json.loads((RESULTS / name).read_text())


def table(header: str, rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table; columns are separated by ``|``, and one that begins with ``>`` is aligned right."""
    columns = [column.strip() for column in header.split("|")]
    alignments = ("--:" if column.startswith(">") else "---" for column in columns)
    lines = [f"| {' | '.join(column.removeprefix('>') for column in columns)} |", f"|{'|'.join(alignments)}|"]
    return "\n".join([*lines, *(f"| {' | '.join(map(str, row))} |" for row in rows)])


def percent(figures: dict[str, float]) -> str:
    """A fraction with ``mean``, ``std`` and ``n``, in percent; of a single run there is only the value."""
    if figures["n"] == 1:
        return f"{100 * figures['mean']:.2f}"
    return plus_minus(100 * figures["mean"], 100 * figures["std"])


def threads(count: int) -> str:
    """``1 thread``, ``2 threads``."""
    return f"{count} thread{'s' * (count > 1)}"
