"""The Makefile's set-up, where it cannot go well: one clear line each."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what make reads, so that this checkout's environment stays as it is."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def make(checkout: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", "--silent", *arguments],
        cwd=checkout,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def complaints(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert done.returncode != 0
    lines = done.stderr.splitlines()
    return [line for line in lines if line.startswith("make: ") and "***" not in line]


def test_a_python_that_is_too_old(checkout: Path) -> None:
    old = checkout / "python3.9"
    old.write_text('#!/bin/sh\n[ "$1" = -V ] && echo Python 3.9.2 && exit 0\nexit 1\n')
    old.chmod(0o755)
    (line,) = complaints(make(checkout, "train", f"PYTHON={old}"))
    assert "is Python 3.9.2, but mnist-adder needs Python 3.11 or newer" in line
    assert not (checkout / ".venv").exists()


def test_no_python_at_all(checkout: Path) -> None:
    (line,) = complaints(make(checkout, "train", "PYTHON="))
    assert "Install Python 3.11 or newer" in line


def test_packages_that_cannot_be_had(checkout: Path) -> None:
    done = make(checkout, "train", f"PYTHON={sys.executable}", PIP_NO_INDEX="1", PIP_FIND_LINKS="")
    (line,) = complaints(done)
    assert "the dependencies could not be installed: ERROR: " in line
    assert "install.log" in line
    assert not (checkout / ".venv" / "run-ready").exists()


def test_help_names_the_two_commands(checkout: Path) -> None:
    done = make(checkout, "help")
    assert "make train" in done.stdout
    assert "make test" in done.stdout


@pytest.mark.parametrize(("target", "name"), [("browser", "Chromium"), ("office", "LibreOffice")])
def test_a_program_that_cannot_be_installed(checkout: Path, target: str, name: str) -> None:
    tools, venv = checkout / "bin", checkout / ".venv"
    tools.mkdir()
    venv.mkdir()
    for tool in ("sh", "id", "make"):
        (tools / tool).symlink_to(shutil.which(tool) or tool)
    (tools / "apt-get").write_text("#!/bin/sh\nexit 1\n")
    (tools / "apt-get").chmod(0o755)
    for stamp in ("run-ready", "test-ready"):
        (venv / stamp).touch()
    (line,) = complaints(make(checkout, target, PATH=str(tools)))
    assert f"need {name}" in line
