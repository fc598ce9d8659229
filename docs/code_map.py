"""What each package is for and how many lines it has: for ``make map``, and for README by ``tables.py``."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import NamedTuple

from formatting import table

SRC = Path(__file__).parent.parent / "src" / "mnist_adder"
MOST_LINES = 3_800
"""What the core may have, so that it can be read in an evening."""


class Part(NamedTuple):
    """A package, or modules that belong together."""

    name: str
    purpose: str
    files: int
    lines: int


def measure(name: str, purpose: str = "") -> Part:
    """Count a package, or the modules whose names are separated by commas, in lines as ``wc -l`` counts.

    The purpose of a package is the first sentence of its docstring.
    """
    paths = [SRC / part for part in name.split(", ")]
    files = [file for path in paths for file in (path.rglob("*.py") if path.is_dir() else [path])]
    if not purpose:
        docstring = ast.get_docstring(ast.parse((paths[0] / "__init__.py").read_text()))
        assert docstring, f"{paths[0]} has no docstring"
        purpose = docstring.split("\n", 1)[0].split(". ", 1)[0].rstrip(".").replace("``", "`")
    return Part(name, purpose, len(files), sum(file.read_text().count("\n") for file in files))


def core() -> list[Part]:
    """What is read in an evening, in the order of the pipeline."""
    basics = measure(
        "types.py, errors.py, safe_io.py", "The types of the task, errors, safe reading and writing"
    )
    return [basics, *map(measure, ("data", "models", "training", "evaluation"))]


def others() -> list[Part]:
    """The rest: packages and, last, the modules that stand alone."""
    run_folder = measure(
        "runs.py, run_config.py, environment.py, reproduce.py, examples.py",
        "The run folder that a training writes",
    )
    known = {part for row in (*core(), run_folder) for part in row.name.split(", ")}
    packages = sorted({path.parent.name for path in SRC.glob("*/__init__.py")} - known)
    modules = sorted({path.name for path in SRC.glob("*.py")} - known)
    alone = measure(
        ", ".join(modules), "The Python interface, optional libraries, the range test of `find-lr`"
    )
    return [run_folder, *map(measure, packages), alone]


def packages() -> str:
    """The table of README: the core with its sum, and the names of the rest."""
    evening, rest = core(), others()
    names = ", ".join(f"`{part.name}`" for part in rest[1:-1])
    rows = [
        *map(_row, evening),
        _total(f"The core, at most {MOST_LINES:,} lines", evening),
        ("and when needed", names, f"{sum(part.lines for part in rest):,}"),
        _total("All", [*evening, *rest]),
    ]
    return table("package | purpose | >lines", rows)


def whole() -> str:
    """The table of ``make map``: every package."""
    evening, rest = core(), others()
    total = _total("The core", evening), _total("All", [*evening, *rest])
    return table("package | purpose | >lines", [*map(_row, evening), total[0], *map(_row, rest), total[1]])


def _row(part: Part) -> tuple[str, ...]:
    return f"`{part.name}`", part.purpose, f"{part.lines:,}"


def _total(label: str, parts: list[Part]) -> tuple[str, ...]:
    return (
        f"**{label}**",
        f"{sum(part.files for part in parts)} files",
        f"**{sum(part.lines for part in parts):,}**",
    )


if __name__ == "__main__":
    print(whole())
