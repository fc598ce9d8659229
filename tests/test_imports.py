"""Imports run one way, as the map in CONTRIBUTING.md draws them."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import mnist_adder

ROOT = Path(mnist_adder.__file__).parent
FIVE = Path(__file__).parent.parent / "examples" / "five.png"

# What each room may import. A room may always import itself.
MAY_IMPORT: dict[str, set[str]] = {
    "task": set(),
    "errors": set(),
    "files": set(),
    "machine": {"__init__"},
    "data": {"task", "errors", "files"},
    "designs": {"task", "errors"},
    "reading": {"errors"},
    "runs": {"task", "errors", "files", "reading", "designs"},
    "repeat": {"runs", "designs"},
    "evaluation": {"task", "errors", "machine", "data", "designs", "runs"},
    "training": {
        "task",
        "errors",
        "files",
        "machine",
        "data",
        "designs",
        "runs",
        "repeat",
        "evaluation",
        "inference",
    },
    "pretrained": {"errors", "runs"},
    "inference": {"task", "errors", "files", "reading", "designs", "runs", "pretrained"},
    "serving": {"__init__", "task", "errors", "inference", "pretrained"},
    "reports": {"__init__", "task", "errors", "files", "designs", "runs", "repeat", "evaluation"},
    "worksheet": {"task", "designs"},
    "cli": {
        "__init__",
        "errors",
        "runs",
        "designs",
        "evaluation",
        "training",
        "inference",
        "reports",
        "pretrained",
        "data",
        "serving",
        "worksheet",
        "files",
    },
    "__init__": {"data", "designs", "inference", "pretrained", "reports", "runs", "training"},
    "__main__": {"cli"},
}


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "mnist_adder":
            # A name that is no room, such as __version__, is the package's own.
            names = [f"mnist_adder.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names = [node.module or ""]
        else:
            continue
        for name in names:
            if name.partition(".")[0] == "mnist_adder":
                room = name.split(".")[1] if "." in name else "__init__"
                rooms.add(room if (ROOT / room).is_dir() or (ROOT / f"{room}.py").exists() else "__init__")
    return rooms - {room_of(path)}


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_imports_only_what_it_may(path: Path) -> None:
    room = room_of(path)
    assert room in MAY_IMPORT, f"{room} is new: say in MAY_IMPORT and CONTRIBUTING.md what it may import"
    assert imported_rooms(path) <= MAY_IMPORT[room]


def test_the_map_has_no_circle() -> None:
    done: set[str] = {"__init__"}  # imports on demand only
    waiting = {room: needs - {"__init__"} for room, needs in MAY_IMPORT.items() if room != "__init__"}
    while waiting:
        ready = {room for room, needs in waiting.items() if needs <= done}
        assert ready, f"a circle among {sorted(waiting)}"
        done |= ready
        waiting = {room: needs for room, needs in waiting.items() if room not in ready}


@pytest.mark.parametrize(
    ("statement", "forbidden"),
    [
        ("import mnist_adder", ["torch", "numpy", "lightning", "PIL"]),
        ("import mnist_adder.cli", ["torch", "numpy", "lightning", "PIL"]),
        ("from mnist_adder import predict", ["torch", "lightning", "sklearn", "onnx"]),
        ("from mnist_adder import MNISTAdder, designs, load_run", ["lightning", "sklearn"]),
        ("import mnist_adder.evaluation", ["lightning", "sklearn"]),
        ("import mnist_adder.inference.preprocess", ["sklearn", "scipy", "lightning"]),
        ("import mnist_adder.inference", ["matplotlib"]),
        ("import mnist_adder.reports", ["lightning", "matplotlib.pyplot"]),
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
