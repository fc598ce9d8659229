"""Imports run one way."""

from __future__ import annotations

import ast
import importlib
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import mnist_adder

ROOT = Path(mnist_adder.__file__).parent
FIVE = Path(__file__).parent.parent / "examples" / "five.png"

# What each package may import besides itself. This is the only copy of the rule.
MAY_IMPORT: dict[str, set[str]] = {
    "types": set(),
    "errors": set(),
    "extras": {"errors"},
    "safe_io": {"errors"},
    "environment": {"__init__"},
    "data": {"types", "errors", "safe_io"},
    "models": {"types", "errors"},
    "run_config": {"errors", "safe_io", "environment", "models"},
    "runs": {"types", "errors", "extras", "safe_io", "models", "run_config"},
    "reproduce": {"environment", "run_config", "models"},
    "pen": {"types", "errors", "data", "inference"},
    "evaluation": {"types", "errors", "environment", "data", "models", "pen", "runs"},
    "examples": {"types", "data", "models", "evaluation"},
    "comparison": {"errors", "models", "run_config", "runs", "training"},
    "pretrained": {"errors", "runs"},
    "inference": {"types", "errors", "safe_io", "models", "runs", "pretrained"},
    "training": {
        *("types", "errors", "safe_io", "environment"),
        *("data", "pen", "models", "run_config", "runs", "reproduce", "evaluation", "inference", "examples"),
    },
    "speedrun": {
        *("types", "errors", "environment", "data", "models", "run_config", "runs", "evaluation", "training"),
    },
    "lr_finder": {"types", "errors", "environment", "data", "pen", "models", "training"},
    "serving": {"__init__", "types", "errors", "data", "inference", "pretrained"},
    "reports": {
        *("types", "errors", "safe_io", "models", "run_config", "runs", "reproduce"),
        *("comparison", "examples"),
    },
    "worksheet": {"types", "models"},
    "cli": {
        *("__init__", "errors", "extras", "run_config", "runs", "models", "data", "evaluation"),
        *("training", "lr_finder", "inference", "reports", "pretrained", "serving", "speedrun", "worksheet"),
        *("comparison", "safe_io"),
    },
    "__init__": {"extras", "data", "models", "inference", "pretrained", "reports", "runs", "training"},
    "__main__": {"cli"},
}


def package_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported_packages(path: Path) -> set[str]:
    packages = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "mnist_adder":
            # A name that is no package, such as __version__, is the package's own.
            names = [f"mnist_adder.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names = [node.module or ""]
        else:
            continue
        for name in names:
            if name.partition(".")[0] == "mnist_adder":
                package = name.split(".")[1] if "." in name else "__init__"
                known = (ROOT / package).is_dir() or (ROOT / f"{package}.py").exists()
                packages.add(package if known else "__init__")
    return packages - {package_of(path)}


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_package_imports_only_what_it_may(path: Path) -> None:
    package = package_of(path)
    assert package in MAY_IMPORT, f"{package} is new: say in MAY_IMPORT what it may import"
    assert imported_packages(path) <= MAY_IMPORT[package]


def test_nothing_is_allowed_that_nobody_imports() -> None:
    used: dict[str, set[str]] = {package: set() for package in MAY_IMPORT}
    for path in ROOT.rglob("*.py"):
        used[package_of(path)] |= imported_packages(path)
    assert used == MAY_IMPORT


def test_the_map_has_no_circle() -> None:
    done: set[str] = {"__init__"}  # imports on demand only
    waiting = {
        package: needs - {"__init__"} for package, needs in MAY_IMPORT.items() if package != "__init__"
    }
    while waiting:
        ready = {package for package, needs in waiting.items() if needs <= done}
        assert ready, f"a circle among {sorted(waiting)}"
        done |= ready
        waiting = {package: needs for package, needs in waiting.items() if package not in ready}


@pytest.mark.parametrize(
    ("statement", "forbidden"),
    [
        ("import mnist_adder", ["torch", "numpy", "lightning", "PIL"]),
        ("import mnist_adder.cli", ["torch", "numpy", "lightning", "PIL"]),
        ("from mnist_adder import predict", ["torch", "lightning", "sklearn", "onnx"]),
        ("from mnist_adder import MNISTAdder, models, load_run", ["lightning", "sklearn"]),
        ("import mnist_adder.evaluation", ["lightning", "sklearn"]),
        ("import mnist_adder.inference.preprocess", ["sklearn", "scipy", "lightning"]),
        ("import mnist_adder.inference", ["matplotlib"]),
        ("import mnist_adder.reports", ["lightning", "matplotlib.pyplot"]),
        ("import mnist_adder.serving.samples", ["torch", "sklearn", "pooch"]),
        ("import mnist_adder.data.mnist, mnist_adder.data.sklearn_digits", ["torch", "sklearn", "pooch"]),
        ("import mnist_adder.speedrun", ["lightning", "sklearn"]),
        ("import mnist_adder.serving.server", ["torch", "lightning", "sklearn", "onnx"]),
    ],
)
def test_what_is_not_needed_is_not_imported(statement: str, forbidden: list[str]) -> None:
    code = f"import sys; {statement}; print([name for name in {forbidden!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "forbidden"),
    [
        (["--help"], ["torch", "lightning", "onnxruntime", "numpy", "PIL", "rich"]),
        (["predict", "--help"], ["torch", "lightning", "onnxruntime", "numpy", "PIL", "rich"]),
        (["predict", str(FIVE), "7"], ["torch", "lightning", "onnx", "sklearn", "scipy", "matplotlib"]),
    ],
)
def test_what_a_command_does_not_need_is_not_imported(
    arguments: list[str], forbidden: list[str], tmp_path: Path
) -> None:
    code = (
        "import sys; from mnist_adder.cli import main; sys.argv[0] = 'mnist-adder'\n"
        "try: main()\n"
        f"finally: print([name for name in {forbidden!r} if name in sys.modules], file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "[]"


def test_nothing_is_reported_to_anybody(tmp_path: Path) -> None:
    """ONNX Runtime would: it would leave an identity and a queue of reports in the home folder."""
    clean = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}  # in CI it keeps quiet anyway
    command = [sys.executable, "-m", "mnist_adder", "predict", str(FIVE), "7"]
    answered = subprocess.run(command, env=clean, capture_output=True, text=True, check=True)
    assert "5 + 7 = 12" in answered.stdout
    assert not list(tmp_path.rglob("*"))


def test_no_name_hides_a_module() -> None:
    for module in pkgutil.walk_packages(mnist_adder.__path__, "mnist_adder."):
        if module.name != "mnist_adder.__main__":  # which would run
            imported = importlib.import_module(module.name)
            parent, _, name = module.name.rpartition(".")
            assert getattr(sys.modules[parent], name) is imported, module.name
