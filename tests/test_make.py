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
from tests.conftest import LONGEST

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
    text = (ROOT / "Makefile").read_text()
    calls = re.findall(r"\$\(PIP\) ([^>&;]+)", text)
    lists = [f"$(PINNED) requirements/{name}.txt" for name in ("cpu", "run", "cuda", "test", "tools")]
    assert sorted(call.strip() for call in calls) == sorted(["--no-build-isolation -e .", *lists])
    (unpinned,) = re.findall(r"(\S+) -m pip ", text.replace("PIP := python -m pip ", ""))
    assert unpinned == "@$(NEWEST)/bin/python"


def test_the_newest_versions_go_into_an_environment_of_their_own(checkout: Path) -> None:
    (checkout / ".venv").mkdir()
    for stamp in ("run-ready", "test-ready"):
        (checkout / ".venv" / stamp).touch()
    done = make(checkout, "newest", "--dry-run")
    assert done.returncode == 0
    (installs,) = (line for line in done.stdout.splitlines() if "-m pip" in line)
    assert ".venv-newest/bin/python -m pip" in installs
    assert installs.endswith("install --quiet -e '.[all,dev]' hatchling")
    (suite,) = (line for line in done.stdout.splitlines() if "-m pytest" in line)
    assert suite.startswith(".venv-newest/bin/python -m pytest -n auto ")
    assert suite.endswith(' -m "not pinned"')


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


PROGRAMS = pytest.mark.parametrize(
    ("target", "program", "name"),
    [("browser", "chromium", "Chromium"), ("office", "soffice", "LibreOffice")],
)


@pytest.fixture
def tools(checkout: Path) -> Path:
    """The folder of all programs that make finds, with a sudo that nobody may call."""
    folder = checkout / "bin"
    folder.mkdir()
    for tool in ("sh", "make"):
        (folder / tool).symlink_to(shutil.which(tool) or tool)
    write_program(folder / "sudo", "echo sudo was called >&2; exit 1")
    (checkout / ".venv").mkdir()
    for stamp in ("run-ready", "test-ready"):
        (checkout / ".venv" / stamp).touch()
    return folder


def write_program(path: Path, lines: str) -> None:
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(0o755)


def make_with(tools: Path, target: str, *, user: int, ci: bool = False) -> subprocess.CompletedProcess[str]:
    """Make a target as a user of this number."""
    write_program(tools / "id", f"echo {user}")
    done = make(tools.parent, target, PATH=str(tools), CI="true" if ci else "")
    assert "sudo was called" not in done.stderr
    return done


@PROGRAMS
def test_root_gets_a_program_that_is_missing(tools: Path, target: str, program: str, name: str) -> None:
    install = f'[ "$1" = update ] || {{ echo "$*" > {tools}/asked; echo > {tools}/{program}; }}'
    write_program(tools / "apt-get", install)
    done = make_with(tools, target, user=0, ci=True)
    assert done.returncode == 0
    assert done.stderr.startswith(f"Installing {name}, for the tests of the ")
    assert (tools / "asked").read_text().startswith("install -y --no-install-recommends ")


@PROGRAMS
def test_a_program_that_is_here_is_not_installed(tools: Path, target: str, program: str, name: str) -> None:
    write_program(tools / program, "exit 0")
    write_program(tools / "apt-get", f"echo > {tools}/asked")
    done = make_with(tools, target, user=0, ci=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tools / "asked").exists()


@PROGRAMS
@pytest.mark.parametrize("user", [0, 1000])
def test_without_a_program_its_tests_are_skipped_but_not_in_ci(
    tools: Path, target: str, program: str, name: str, user: int
) -> None:
    write_program(tools / "apt-get", f"echo > {tools}/asked; exit 1")
    done = make_with(tools, target, user=user)
    assert done.returncode == 0
    assert len(done.stderr.splitlines()) == (2 if user == 0 else 1)
    line = done.stderr.splitlines()[-1]
    assert line.startswith("make: the tests of the ")
    assert f" are skipped: {name} is not here" in line
    assert "Install it: apt-get install " in line
    assert ("could not be installed (why: .venv/" in line) is (user == 0)
    (line,) = complaints(make_with(tools, target, user=user, ci=True))
    assert f" cannot be run: {name} is not here" in line
    assert (tools / "asked").exists() is (user == 0)


def test_the_files_that_are_started_first_are_there() -> None:
    assert [file for file in LONGEST if not (ROOT / file).is_file()] == []
