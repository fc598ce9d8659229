"""The base install: the wheel and what it requires predict, and whatever needs more says which extra.

The environment is a real one. Only its dependencies are links to those installed here, so that the test needs
no network and takes seconds.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import venv
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
FIVE = str(ROOT / "examples" / "five.png")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel and what its metadata require, and nothing else."""
    folder = tmp_path_factory.mktemp("base") / "environment"
    venv.create(folder, symlinks=True)
    packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder)}))
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "--quiet"]
    subprocess.run([*pip, "--no-index", "--no-deps", str(wheel)], check=True)
    (installed,) = metadata.distributions(name="mnist-adder", path=[str(packages)])
    for name in required(installed):
        link(metadata.distribution(name), packages)
    return folder


def required(distribution: metadata.Distribution) -> set[str]:
    """What a distribution requires here without any extra, and what that requires."""
    found: set[str] = set()
    waiting = [distribution]
    while waiting:
        for wanted in map(Requirement, waiting.pop().requires or ()):
            if wanted.name not in found and (wanted.marker is None or wanted.marker.evaluate({"extra": ""})):
                found.add(wanted.name)
                waiting.append(metadata.distribution(wanted.name))
    return found


def link(distribution: metadata.Distribution, packages: Path) -> None:
    """Link the folders and modules of a distribution into an environment's packages."""
    for top in {
        file.parts[0] for file in distribution.files or () if file.parts[0] not in ("..", "__pycache__")
    }:
        (packages / top).symlink_to(Path(str(distribution.locate_file(top))))


def run(environment: Path, *command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program of the environment where nothing of this one can be found."""
    program = str(environment / "bin" / command[0])
    clean = {"PATH": os.defpath, "HOME": str(folder)}
    return subprocess.run([program, *command[1:]], cwd=folder, env=clean, capture_output=True, text=True)


def test_it_predicts(environment: Path, tmp_path: Path) -> None:
    done = run(environment, "mnist-adder", "predict", FIVE, "7", folder=tmp_path)
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "5 + 7 = 12")
    assert done.stderr == "Answered by the weights of the package; --run names others.\n"
    python = f"from mnist_adder import Predictor; print(Predictor('best').predict({FIVE!r}, 7).sum)"
    assert run(environment, "python", "-c", python, folder=tmp_path).stdout == "12\n"


def test_every_other_command_says_in_one_line_what_to_install(environment: Path, tmp_path: Path) -> None:
    listed = run(environment, "mnist-adder", "--help", folder=tmp_path).stdout.partition("Commands:")[2]
    commands = set(re.findall(r"^  ([a-z]\S+)", listed, flags=re.M)) - {"predict"}
    assert {"train", "evaluate", "serve", "worksheet"} < commands
    for command in sorted(commands):
        arguments = ["default"] if command in ("evaluate", "export", "report") else []
        done = run(environment, "mnist-adder", command, *arguments, folder=tmp_path)
        assert (done.returncode, done.stdout) == (2, ""), command
        extra = command if command in ("serve", "worksheet") else "train"
        install = rf"pip install 'mnist-adder\[{extra}\]'\n"
        assert re.fullmatch(
            rf"mnist-adder: This needs \w+, which is not installed\. Run: {install}", done.stderr
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["MNISTAdder", "load_pretrained()", "models", "report", "train"])
def test_so_does_the_python_interface(environment: Path, name: str, tmp_path: Path) -> None:
    python = f"import mnist_adder\ntry: mnist_adder.{name}\nexcept ImportError as error: print(error)"
    done = run(environment, "python", "-c", python, folder=tmp_path)
    assert done.stdout.endswith("is not installed. Run: pip install 'mnist-adder[train]'\n"), done.stderr
