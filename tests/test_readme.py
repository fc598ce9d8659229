"""What the README says: its commands run, its Python runs, its table is the one in results/."""

from __future__ import annotations

import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from mnist_adder import models

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
    assert len(commands) >= 10
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
    return importlib.import_module("tables")  # docs/ is on the tests' path


def test_every_figure_of_the_pages_is_made_from_results() -> None:
    tables = load_tables()
    found = set()
    for path in tables.PAGES:
        page = path.read_text()
        assert tables.rebuilt(page) == page, f"{path.name}: run make tables"
        found |= set(re.findall(r"<!-- (\w+): made by docs/tables.py -->", page))
    assert found == set(tables.BLOCKS)


def test_what_is_published_was_trained_on_mnist_from_committed_source() -> None:
    comparison = load_tables().load_comparison()
    assert {row.model for row in comparison.rows} == set(models.names())
    assert {tuple(row.seeds) for row in comparison.rows} == {(0, 1, 2)}
    assert comparison.protocol["dataset"] == "mnist"
    assert comparison.protocol["pairs"] == 100_000
    assert not [commit for commit in comparison.commits if "+changes" in commit]


def test_every_picture_and_link_of_the_pages_exists() -> None:
    for path in load_tables().PAGES:
        for target in re.findall(r"\]\(([^)#]+)", path.read_text()):
            if "://" not in target:
                assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_the_core_can_be_read_in_an_evening() -> None:
    code_map = importlib.import_module("code_map")
    assert sum(code_map.measure(name).lines for name in code_map.CORE) <= code_map.MOST_LINES == 3_800
