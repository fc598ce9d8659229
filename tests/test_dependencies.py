"""Every dependency is used, all that is used is declared, and just what is needed is pinned, with hashes."""

from __future__ import annotations

import ast
import json
import re
import sys
import textwrap
import tomllib
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUN = [Requirement(line) for line in PROJECT["project"]["dependencies"]]
TEST = [Requirement(line) for line in PROJECT["project"]["optional-dependencies"]["dev"]]
OURS = {
    "mnist_adder",
    "tests",
    "examples",
    *(path.stem for room in ("docs", "benchmarks") for path in (ROOT / room).iterdir()),
}

# Used without being imported: the file that uses it, what stands there, and how that uses it.
USED_BY_NAME = {
    "httptools": ("src/mnist_adder/serving/server.py", "uvicorn.Config(", "uvicorn's parser of HTTP"),
    "uvloop": (
        "src/mnist_adder/serving/server.py",
        "uvicorn.Config(",
        "uvicorn's event loop where it is installed",
    ),
    "tqdm": ("src/mnist_adder/data/download.py", "progressbar=", "pooch's bar while it downloads"),
    "ipykernel": ("notebooks/mnist_adder.ipynb", '"kernelspec"', "the kernel that runs the notebook"),
    "mypy": ("Makefile", "/mypy", "a command of make check"),
    "ruff": ("Makefile", "/ruff check", "a command of make check"),
    "pytest-xdist": ("Makefile", "pytest -n", "the option -n"),
}
BUILD = {
    "hatchling": ("pyproject.toml", 'build-backend = "hatchling', "builds the package"),
    "editables": ("Makefile", "-e .", "hatchling's editable installs"),
}


def modules(tree: ast.AST) -> Iterator[str]:
    """Top-level names of all imports, late ones and ``import_module("name")`` among them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(
            ("import_module", "importorskip")
        ):
            yield from (str(part.value) for part in node.args[:1] if isinstance(part, ast.Constant))
            yield from (
                str(part.values[0].value)
                for part in node.args[:1]
                if isinstance(part, ast.JoinedStr) and isinstance(part.values[0], ast.Constant)
            )


def sources(*rooms: str) -> Iterator[str]:
    for room in rooms:
        yield from (path.read_text() for path in sorted((ROOT / room).rglob("*.py")))
        for path in (ROOT / room).glob("*.ipynb"):
            cells = [
                cell["source"]
                for cell in json.loads(path.read_text())["cells"]
                if cell["cell_type"] == "code"
            ]
            for lines in cells:  # a line for the notebook alone, %matplotlib inline, is no Python
                yield re.sub(r"^( *)[%!].*", r"\1pass", "".join(lines), flags=re.MULTILINE)


def imported(*rooms: str) -> set[str]:
    """The distributions of other people that the files of ``rooms`` import."""
    names = {name.split(".")[0] for text in sources(*rooms) for name in modules(ast.parse(text))}
    providers = metadata.packages_distributions()
    foreign = names - sys.stdlib_module_names - OURS
    assert foreign <= providers.keys(), f"{foreign - providers.keys()}: imported, but not installed"
    # Two may share one name, as google does; the one that is declared is meant.
    declared = {canonicalize_name(wanted.name) for wanted in RUN + TEST}
    found = {name: {canonicalize_name(one) for one in providers[name]} for name in foreign}
    return {name for names in found.values() for name in (names & declared or names)}


def declared(requirements: Iterable[Requirement]) -> set[str]:
    return {canonicalize_name(one.name) for one in requirements}


def by_name() -> set[str]:
    return {name for name, (file, text, _) in USED_BY_NAME.items() if text in (ROOT / file).read_text()}


def test_what_is_said_to_be_used_by_name_stands_there() -> None:
    for name, (file, text, how) in {**USED_BY_NAME, **BUILD}.items():
        assert text in (ROOT / file).read_text(), f"{name} ({how}) is no longer used in {file}"


def test_the_package_declares_what_it_imports_and_nothing_else() -> None:
    used = imported("src")
    assert used - declared(RUN) == set(), "imported in src/, but not in pyproject.toml"
    assert declared(RUN) - used - by_name() == set(), "in pyproject.toml, but not used in src/"


def test_the_extra_declares_what_tests_and_scripts_import_and_nothing_else() -> None:
    used = imported("tests", "benchmarks", "docs", "notebooks", "requirements")
    assert used - declared(RUN + TEST) == set(), "imported beside src/, but not in pyproject.toml"
    assert declared(TEST) - used - by_name() == set(), "in the extra, but not used"
    assert declared(TEST) & declared(RUN) == set()


def test_a_late_import_counts() -> None:
    late = "import a.b\nfrom c.d import e\nimport_module('f.g')\nimport_module(f'h.{x}')"
    text = f"def f():\n{textwrap.indent(late, '    ')}"
    assert set(modules(ast.parse(text))) == {"a.b", "c.d", "f.g", "h."}
    assert set(modules(ast.parse("from . import a\nfrom .b import c"))) == set()


def entries(name: str) -> list[str]:
    """A list's packages, each with the lines of its hashes."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    return re.split(r"\n(?=\w)", text.removesuffix("\n"))[1:]


def pins(*names: str) -> dict[str, str]:
    """Package to version, of the pins that are for this platform."""
    found: dict[str, str] = {}
    for entry in (entry for name in names for entry in entries(name)):
        wanted = Requirement(entry.splitlines()[0].rstrip(" \\"))
        if wanted.marker is None or wanted.marker.evaluate():
            found[canonicalize_name(wanted.name)] = str(wanted.specifier).removeprefix("==")
    return found


def closure(requirements: Iterable[Requirement]) -> set[str]:
    """What ``requirements`` need here, and what that needs, by the metadata of what is installed."""
    seen: set[tuple[str, str]] = set()
    waiting = [(one, "") for one in requirements]
    while waiting:
        wanted, extra = waiting.pop()
        if not applies(wanted.marker, extra):
            continue
        name = canonicalize_name(wanted.name)
        for with_extra in {"", *wanted.extras}:
            if (name, with_extra) not in seen:
                seen.add((name, with_extra))
                waiting += [(Requirement(line), with_extra) for line in metadata.requires(name) or ()]
    return {name for name, _ in seen}


def applies(marker: Marker | None, extra: str) -> bool:
    return marker is None or marker.evaluate({"extra": extra})


@pytest.mark.parametrize("name", ["run", "test", "cuda", "tools"])
def test_every_pin_has_hashes(name: str) -> None:
    listed = entries(name)
    assert len(listed) > 10
    for entry in listed:
        first, *hashes = entry.splitlines()
        assert re.fullmatch(r"[\w.-]+==[\w.+]+( ; .+)? \\", first), first
        assert hashes, first
        assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line) for line in hashes), first
        assert len(set(hashes)) == len(hashes), first


def test_pins_are_what_a_fresh_environment_needs_and_nothing_else() -> None:
    lists = ["run", "cuda"] if "nvidia" in str(metadata.requires("torch")) else ["run"]
    here, everything = pins(*lists), pins(*lists, "test")
    strange = {name for name in everything if not installed(name).startswith(everything[name])}
    if strange:
        pytest.skip(f"not the environment that make sets up: {', '.join(sorted(strange))}")
    build = [Requirement(name) for name in BUILD]
    assert closure([*RUN, *build]) == here.keys()
    assert closure([*RUN, *build, *TEST]) == everything.keys()


def installed(name: str) -> str:
    """Its version here, and none where it is not here."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def test_versions_that_are_pinned_are_in_range() -> None:
    versions = pins("run", "test")
    for wanted in RUN + TEST:
        if wanted.marker is None or wanted.marker.evaluate():
            assert wanted.specifier.contains(versions[canonicalize_name(wanted.name)]), wanted
