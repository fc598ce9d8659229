"""A refactoring changes no result: trained weights and the packaged ones' answers are the recorded bits.

They were recorded for float32, one thread and the kernels for AVX2, with which all x86-64 processors of the
last ten years compute the same. A change that is meant to change results records them anew.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from tests.conftest import HAS_MNIST

RECORDED = json.loads((Path(__file__).parent / "unchanged.json").read_text())
ROOT = Path(__file__).parents[2]
AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}

pytestmark = [
    pytest.mark.pinned,
    pytest.mark.skipif(
        platform.machine() not in ("x86_64", "AMD64")
        or any(
            metadata.version(name).partition("+")[0] != RECORDED["versions"][name]
            for name in RECORDED["versions"]
        ),
        reason=f"the bits are those of {RECORDED['versions']} on x86-64",
    ),
]


@pytest.fixture(scope="module")
def digests() -> dict[str, dict[str, str]]:
    """Of the weights and, where there is MNIST, of the answers."""
    environment = {**os.environ, **AVX2, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.training.unchanged", "weights", *["answers"] * HAS_MNIST]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, str]] = json.loads(done.stdout)
    return found


def test_trained_weights_are_the_recorded_ones(digests: dict[str, dict[str, str]]) -> None:
    assert digests["weights"] == RECORDED["weights"]


@pytest.mark.mnist
def test_the_packaged_weights_answer_as_recorded(digests: dict[str, dict[str, str]]) -> None:
    assert digests["answers"] == RECORDED["answers"]
