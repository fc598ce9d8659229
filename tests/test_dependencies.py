"""Every dependency is used, all that is used is declared, and just what is needed is pinned, with hashes."""

from __future__ import annotations

import ast
import functools
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

from mnist_adder.extras import EXTRA_OF

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SRC = ROOT / "src" / "mnist_adder"
OPTIONAL = PROJECT["project"]["optional-dependencies"]
BASE = [Requirement(line) for line in PROJECT["project"]["dependencies"]]
EXTRAS = {name: [Requirement(line) for line in OPTIONAL[name]] for name in ("serve", "train", "worksheet")}
RUN = BASE + [wanted for extra in EXTRAS.values() for wanted in extra]
TEST = [Requirement(line) for line in OPTIONAL["dev"]]

# What predict imports. At the head of these files only the base install may be needed.
PREDICTION = ["__init__.py", "__main__.py", "errors.py", "extras.py", "pretrained/__init__.py", "runs.py"]
PREDICTION += ["safe_io.py", "types.py"]
# fold is what export imports when it exports.
PREDICTION += [f"inference/{path.name}" for path in (SRC / "inference").glob("*.py") if path.stem != "fold"]
# All commands are imported for each of them; progress is what they import when they train.
PREDICTION += [f"cli/{path.name}" for path in (SRC / "cli").glob("*.py") if path.stem != "progress"]
# Which packages need which extra; all others need train.
PACKAGES = {"serve": ["serving"], "worksheet": ["worksheet"]}
PACKAGES["train"] = [
    path.name for path in SRC.iterdir() if path.name not in {"serving", "worksheet", "__pycache__"}
]
OURS = {
    "mnist_adder",
    "tests",
    "examples",
    *(path.stem for room in ("docs", "benchmarks") for path in (ROOT / room).iterdir()),
}
ELSEWHERE = {"cv2", "openvino"}
"""What benchmarks/readers.py imports where it is there: each reader has an environment of its own."""

FAMILIAR = sys.stdlib_module_names | OURS | ELSEWHERE

# Used without being imported: the file that uses it, what stands there, and how that uses it.
USED_BY_NAME = {
    "httptools": ("src/mnist_adder/serving/server.py", "uvicorn.Config(", "uvicorn's parser of HTTP"),
    "uvloop": (
        "src/mnist_adder/serving/server.py",
        "uvicorn.Config(",
        "uvicorn's event loop where it is installed",
    ),
    "pydantic": (
        "src/mnist_adder/worksheet/autograd.py",
        "from mnist_adder.models.layers",
        "the recipes of the models",
    ),
    "tqdm": ("src/mnist_adder/data/download.py", "progressbar=", "pooch's bar while it downloads"),
    "scikit-learn": ("src/mnist_adder/data/sklearn_digits.py", 'find_spec("sklearn")', "its file of digits"),
    "tensorboard": (
        "src/mnist_adder/training/callbacks.py",
        "SummaryWriter(",
        "torch writes its files with it",
    ),
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


def heads(tree: ast.Module) -> ast.Module:
    """The imports that run as soon as the file is imported, those for type checkers left out."""
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    return ast.Module(body=[*imports], type_ignores=[])


def sources(*rooms: str) -> Iterator[str]:
    for room in rooms:
        if room.endswith(".py"):
            yield (ROOT / room).read_text()
        yield from (path.read_text() for path in sorted((ROOT / room).rglob("*.py")))
        for path in (ROOT / room).glob("*.ipynb"):
            cells = [
                cell["source"]
                for cell in json.loads(path.read_text())["cells"]
                if cell["cell_type"] == "code"
            ]
            for lines in cells:  # a line for the notebook alone, %matplotlib inline, is no Python
                yield re.sub(r"^( *)[%!].*", r"\1pass", "".join(lines), flags=re.MULTILINE)


def foreign(*rooms: str, only_heads: bool = False) -> set[str]:
    """The top-level names of other people's libraries that the files of ``rooms`` import."""
    trees = [ast.parse(text) for text in sources(*rooms)]
    chosen = map(heads, trees) if only_heads else trees
    return {name.split(".")[0] for tree in chosen for name in modules(tree)} - FAMILIAR


installed_libraries = functools.cache(metadata.packages_distributions)  # it reads a folder of each package


def distributions(libraries: set[str]) -> set[str]:
    """The distributions that bring ``libraries``."""
    providers = installed_libraries()
    assert libraries <= providers.keys(), f"{libraries - providers.keys()}: imported, but not installed"
    # Two may share one name, as google does; the one that is declared is meant.
    declared = {canonicalize_name(wanted.name) for wanted in RUN + TEST}
    found = {name: {canonicalize_name(one) for one in providers[name]} for name in libraries}
    return {name for names in found.values() for name in (names & declared or names)}


def imported(*rooms: str) -> set[str]:
    """The distributions of other people that the files of ``rooms`` import."""
    return distributions(foreign(*rooms))


def declared(requirements: Iterable[Requirement]) -> set[str]:
    return {canonicalize_name(one.name) for one in requirements}


def by_name() -> set[str]:
    return {name for name, (file, text, _) in USED_BY_NAME.items() if text in (ROOT / file).read_text()}


def test_what_is_said_to_be_used_by_name_stands_there() -> None:
    for name, (file, text, how) in {**USED_BY_NAME, **BUILD}.items():
        assert text in (ROOT / file).read_text(), f"{name} ({how}) is no longer used in {file}"


def package(*names: str) -> list[str]:
    return [f"src/mnist_adder/{name}" for name in names]


def test_prediction_needs_the_base_install_and_that_brings_nothing_else() -> None:
    at_once = distributions(foreign(*package(*PREDICTION), only_heads=True))
    assert at_once - declared(BASE) == set(), "imported by predict, but not in the base install"
    assert declared(BASE) - imported(*package(*PREDICTION)) == set(), "in the base install, but not used"


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_declares_what_its_packages_import_and_nothing_else(extra: str) -> None:
    used = imported(*package(*PACKAGES[extra])) - declared(BASE)
    assert used - declared(EXTRAS[extra]) == set(), "imported, but neither in the base install nor the extra"
    assert declared(EXTRAS[extra]) - used - by_name() == set(), "in the extra, but not used"


def test_all_is_all_extras() -> None:
    (everything,) = map(Requirement, OPTIONAL["all"])
    assert (everything.name, everything.extras) == ("mnist-adder", set(EXTRAS))
    assert OPTIONAL.keys() == {*EXTRAS, "all", "dev"}


def test_every_library_that_may_be_missing_is_named_with_an_extra_that_brings_it() -> None:
    libraries = {name for name in foreign("src") if not distributions({name}) <= declared(BASE)}
    assert libraries <= EXTRA_OF.keys()
    assert EXTRA_OF.keys() - libraries <= by_name()
    for library, extra in EXTRA_OF.items():
        assert distributions({library}) <= declared(EXTRAS[extra]), library


def test_the_extra_dev_declares_what_tests_and_scripts_import_and_nothing_else() -> None:
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


@pytest.mark.parametrize("name", ["run", "test", "cpu", "cuda", "tools"])
def test_every_pin_has_hashes(name: str) -> None:
    listed = entries(name)
    assert len(listed) > (0 if name == "cpu" else 10)
    for entry in listed:
        first, *hashes = entry.splitlines()
        assert re.fullmatch(r"[\w.-]+==[\w.+]+( ; .+)? \\", first), first
        assert hashes, first
        assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line) for line in hashes), first
        assert len(set(hashes)) == len(hashes), first


@pytest.mark.pinned
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
