"""What the README says: its commands run, its Python runs, its table is the one in results/."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A newcomer's working directory, with the examples and nothing else."""
    place = tmp_path_factory.mktemp("newcomer")
    shutil.copytree(ROOT / "examples", place / "examples")
    return place


def code_blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.S)


def run(command: list[str], folder: Path) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stderr}"
    return done.stdout


def test_every_command_runs_then_the_python_does(folder: Path) -> None:
    commands = [line[2:] for line in code_blocks("console")[0].splitlines()]
    assert len(commands) >= 7
    for command in commands:
        assert run(shlex.split(command), folder)
    (python,) = code_blocks("python")
    digit, total, accuracy = run([sys.executable, "-c", python], folder).split()
    assert int(total) in range(19)
    assert int(digit) in range(10)
    assert 0.5 < float(accuracy) <= 1


def test_the_make_targets_it_names_exist() -> None:
    named = set(re.findall(r"(?:^|`)make (\w+)", README, flags=re.M))
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), flags=re.M))
    assert {"train", "test"} <= named <= targets


def load_tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tables", ROOT / "docs" / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_is_made_from_results() -> None:
    tables = load_tables()
    results = tables.load_results()
    assert tables.with_table(README, tables.results_table(results)) == README, "run: make tables"
    assert {result["dataset"] for result in results} == {"mnist"}
    assert {result["pairs"] for result in results} == {100_000}
    assert not [result["design"] for result in results if "+changes" in result["commit"]]
