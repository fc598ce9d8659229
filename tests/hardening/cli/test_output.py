"""What the command line prints has nowhere to go: one line says so, or none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.hardening.attempts import Faults


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["models", "--json"]])
def test_output_that_cannot_be_written_is_one_line(arguments: list[str], faults: Faults) -> None:
    with faults("standard output on a full disk"), Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "mnist_adder", *arguments]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        assert done.returncode == 2
        assert done.stderr == "mnist-adder: Output: No space left on device.\n"


def test_a_reader_who_has_had_enough_hears_nothing(faults: Faults) -> None:
    with faults("standard output into a closed pipe"):
        reading, writing = os.pipe()
        os.close(reading)
        with os.fdopen(writing, "w") as closed:
            command = [sys.executable, "-m", "mnist_adder", "--version"]
            done = subprocess.run(command, stdout=closed, stderr=subprocess.PIPE, text=True, check=False)
        assert done.stderr == ""
