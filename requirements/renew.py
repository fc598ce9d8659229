"""Renew the pins: ``make pins``, or ``make pins ARGS=--upgrade`` for the newest versions.

It reads the ranges of pyproject.toml and the present pins, whose versions stay unless ``--upgrade`` is given,
and writes lists of exact versions with the SHA-256 of all their files for every platform. ``run.txt`` has the
dependencies of the package with all extras and what builds it, ``test.txt`` what tests need besides,
``cuda.txt`` what a CUDA build of torch needs besides, ``cpu.txt`` torch's CPU build, ``tools.txt`` what
``make pins`` and ``make audit`` run. The Makefile installs from them, and pip refuses any file that is not
listed.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parent
PYPROJECT = FOLDER.parent / "pyproject.toml"
UV = Path(sys.executable).parent / "uv"

BUILD = ["editables", "hatchling"]
TOOLS = ["pip-audit", "uv"]

# The published figures were measured with this version, so it is raised by hand and with them.
TORCH = "torch==2.13.0"

# PyTorch publishes its CPU builds itself, so the index of packages does not have them. They need a list of
# their own: between a wheel in a --find-links folder and a file whose hash the index states, pip takes the
# latter. The hashes are from `pip hash FILE`: torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl
CPU_BUILDS = ["sha256:6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b"]

CUDA = re.compile(r"(nvidia|cuda)-|triton==")
SETTLE = "7 days"
"""``--upgrade`` leaves out releases younger than this: most malicious ones are found and withdrawn sooner."""

HEADER = "# Written by `make pins`: {}. Not for editing.\n"
PURPOSES = {
    "run": "the dependencies of mnist-adder[all] and what builds it",
    "test": "what its tests and checks need besides run.txt",
    "cpu": "torch without CUDA, for machines without a GPU of NVIDIA's",
    "cuda": "what torch's CUDA builds need besides run.txt",
    "tools": "what `make pins` and `make audit` run, in an environment of their own",
}

Pins = dict[str, str]
"""From ``name==version``, perhaps with a marker, to the entry as it stands, hashes and all."""


def read(text: str) -> Pins:
    """The entries of a requirements file with hashes, by their ``name==version ; marker``."""
    entries = re.findall(r"^\w.*(?:\n +--hash=.*)+\n", text, flags=re.MULTILINE)
    return {entry.splitlines()[0].rstrip(" \\"): entry for entry in entries}


def resolve(requirements: list[str], known: Pins, *arguments: str, upgrade: bool) -> Pins:
    """Exact versions for ``requirements``, as far as possible those of ``known``, for every platform.

    Raises:
        subprocess.CalledProcessError: uv found no solution, or no index; it has said which.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "pins.txt"
        out.write_text("".join(known.values()))
        renewal = ["--upgrade", "--exclude-newer", SETTLE] if upgrade else []
        command = [
            str(UV),
            "pip",
            "compile",
            "--quiet",
            "--universal",
            "--python-version",
            "3.11",
            "--generate-hashes",
        ]
        layout = ["--no-header", "--no-annotate", "--fork-strategy", "fewest", "--output-file", str(out)]
        subprocess.run(
            [*command, *layout, *renewal, *arguments, "-"],
            input="\n".join(requirements),
            stdout=subprocess.DEVNULL,
            text=True,
            check=True,
        )
        return read(out.read_text())


def cpu_build() -> Pins:
    """The entry of torch's CPU build."""
    return {
        f"{TORCH}+cpu": " \\\n    ".join([f"{TORCH}+cpu", *(f"--hash={one}" for one in CPU_BUILDS)]) + "\n"
    }


def write(name: str, pins: Pins) -> None:
    """Put ``pins`` into the list ``name``."""
    (FOLDER / f"{name}.txt").write_text(HEADER.format(PURPOSES[name]) + "".join(pins.values()))


def main() -> None:
    """Resolve twice, with and without the tests' needs, and write the lists."""
    parser = argparse.ArgumentParser(prog="make pins", description="Renew the pins of requirements/.")
    parser.add_argument(
        "--upgrade", action="store_true", help="the newest versions that pyproject.toml allows"
    )
    upgrade = parser.parse_args().upgrade
    texts = {name: path.read_text() for name in PURPOSES if (path := FOLDER / f"{name}.txt").exists()}
    known = read("".join(text for name, text in texts.items() if name not in ("cpu", "tools")))

    package = [str(PYPROJECT), "--extra", "all"]
    everything = resolve([*BUILD, TORCH], known, *package, "--extra", "dev", upgrade=upgrade)
    # Resolved without the tests' needs, and to the very versions that were found with them.
    needed = resolve([*BUILD, TORCH], everything, *package, upgrade=False)
    write("run", {line: entry for line, entry in needed.items() if not CUDA.match(line)})
    write("cpu", cpu_build())
    write("cuda", {line: entry for line, entry in needed.items() if CUDA.match(line)})
    write("test", {line: entry for line, entry in everything.items() if line not in needed})
    write("tools", resolve(TOOLS, read(texts.get("tools", "")), upgrade=upgrade))


if __name__ == "__main__":
    main()
