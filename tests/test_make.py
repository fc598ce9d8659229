"""The Makefile's set-up and its audit, where they cannot go well: one clear line each."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what make reads, so that this checkout's environment stays as it is."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
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


def wheel(folder: Path) -> Path:
    """The smallest package that pip installs."""
    path = folder / "nothing-1.0-py3-none-any.whl"
    about = "nothing-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: nothing\nVersion: 1.0\n")
        file.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{about}/RECORD", "")
    return path


def test_a_package_is_installed_only_if_it_is_the_one_whose_hash_is_listed(checkout: Path) -> None:
    package = wheel(checkout)
    good = package.read_bytes()
    pin = f"nothing==1.0 --hash=sha256:{hashlib.sha256(good).hexdigest()}\n"
    (checkout / "requirements/run.txt").write_text(pin)
    with zipfile.ZipFile(package, "a") as file:
        file.writestr("nothing.py", "print('stolen')")
    place = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(checkout)}
    (line,) = complaints(make(checkout, "train", f"PYTHON={sys.executable}", **place))
    assert "the dependencies could not be installed: ERROR: " in line
    assert "DO NOT MATCH THE HASHES" in line
    assert "install.log" in line
    assert not (checkout / ".venv" / "run-ready").exists()
    assert not list(checkout.glob(".venv/lib/*/site-packages/nothing*"))

    # As it was published, the same list takes it.
    package.write_bytes(good)
    pip = [str(checkout / ".venv/bin/python"), "-m", "pip", "install", "--no-deps", "--require-hashes"]
    run = [*pip, "-r", "requirements/run.txt"]
    subprocess.run(run, cwd=checkout, env={**os.environ, **place}, capture_output=True, check=True)
    assert list(checkout.glob(".venv/lib/*/site-packages/nothing-1.0.dist-info"))


def test_nothing_but_this_checkout_is_installed_without_hashes() -> None:
    calls = re.findall(r"\$\(PIP\) ([^>&;]+)", (ROOT / "Makefile").read_text())
    lists = [f"$(PINNED) requirements/{name}.txt" for name in ("cpu", "run", "cuda", "test", "tools")]
    assert sorted(call.strip() for call in calls) == sorted(["--no-build-isolation -e .", *lists])


@pytest.mark.parametrize(
    ("said", "fine", "shown"),
    [
        ("No known vulnerabilities found", True, "No known vulnerabilities in requirements/."),
        ("Found 1 known vulnerability in 1 package\\npillow 1.0 CVE-1", False, "CVE-1"),
        ("pillow  Dependency not found and could not be audited", False, "nothing was audited"),
    ],
)
def test_an_audit_says_what_it_found_or_that_it_could_not_look(
    checkout: Path, said: str, fine: bool, shown: str
) -> None:
    tools = checkout / ".venv/tools/bin"
    tools.mkdir(parents=True)
    (tools / "pip-audit").write_text(f'#!/bin/sh\nprintf "{said}\\n"\n')
    (tools / "pip-audit").chmod(0o755)
    for stamp in ("run-ready", "tools-ready"):
        (checkout / ".venv" / stamp).touch()
    done = make(checkout, "audit")
    assert (done.returncode == 0) is fine
    assert shown in (done.stdout if fine else done.stderr)


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
