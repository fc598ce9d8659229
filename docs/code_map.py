"""What each package is for and how many lines it has: for ``make map``, and for README by ``tables.py``."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import NamedTuple

SRC = Path(__file__).parent.parent / "src" / "mnist_adder"
CORE = ["types.py", "errors.py", "safe_io.py", "data", "models", "training", "evaluation"]
"""What is read in an evening, in the order of the pipeline."""
RUN_FOLDER = ["environment.py", "run_config.py", "runs.py", "reproduce.py"]
"""What a run writes down and how it is read again; not counted as the core, and read beside training."""
MOST_LINES = 3_800
"""What the core may have."""


class Part(NamedTuple):
    """A package, or a module that stands alone."""

    name: str
    files: int
    lines: int
    purpose: str  # its docstring's first sentence


def measure(name: str) -> Part:
    """Count a package or a module, in lines as ``wc -l`` counts them."""
    path = SRC / name
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
    docstring = ast.get_docstring(ast.parse((path / "__init__.py" if path.is_dir() else path).read_text()))
    assert docstring, f"{path} has no docstring"
    purpose = docstring.split("\n", 1)[0].split(". ", 1)[0].rstrip(".").replace("``", "`")
    return Part(name, len(files), sum(file.read_text().count("\n") for file in files), purpose)


def packages() -> str:
    """The table: the core, then the rest, each with its sum."""
    names = {path.name for path in SRC.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    core = [measure(name) for name in CORE]
    run_folder = [measure(name) for name in RUN_FOLDER]
    rest = [measure(name) for name in sorted(names - {*CORE, *RUN_FOLDER})]
    lines = ["| package | files | lines | purpose |", "|---|--:|--:|---|", *map(row, core)]
    lines.append(total("The core", core, f", of at most {MOST_LINES:,}"))
    lines += [*map(row, run_folder), total("The run folder", run_folder), *map(row, rest)]
    return "\n".join([*lines, total("All", core + run_folder + rest)])


def row(part: Part) -> str:
    """One part as a line of the table."""
    return f"| `{part.name}` | {part.files} | {part.lines:,} | {part.purpose} |"


def total(label: str, parts: list[Part], limit: str = "") -> str:
    """The sum of parts as a line of the table."""
    files, lines = sum(part.files for part in parts), sum(part.lines for part in parts)
    return f"| **{label}** | {files} | **{lines:,}**{limit} | |"


if __name__ == "__main__":
    print(packages())
