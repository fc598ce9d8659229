"""What a run runs on: device, precision, versions and commit, as config.json records them."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Literal

import torch

import mnist_adder

Precision = Literal["32-true", "bf16-mixed"]  # Lightning's names: float32; bfloat16 in the encoder

_WITHOUT_BF16 = {"SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX512_CORE", "AVX512_CORE_VNNI"}


def best_device() -> torch.device:
    """A GPU where there is one, else the processor."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def describe_device(device: torch.device) -> str:
    """The device in words: the card's name, or the processor's."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "cpu":
        return f"CPU ({_processor()})"
    return device.type.upper()


def best_precision(device: torch.device) -> Precision:
    """bfloat16 where the device calculates in it natively and so gains from it, else float32."""
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        # What torch and oneDNN use, not all that the processor has: emulated it is five times slower.
        limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "ALL").upper()
        used = torch.backends.cpu.get_cpu_capability() == "AVX512" and limit not in _WITHOUT_BF16
        native = device.type == "cpu" and used and torch.cpu._is_avx512_bf16_supported()
    return "bf16-mixed" if native else "32-true"


def limit_threads(cgroup: Path = Path("/sys/fs/cgroup")) -> None:
    """Have torch use no more threads than a container has cores' time, unless OMP_NUM_THREADS says how many.

    torch counts the machine's cores. Threads beyond the quota wait for one another whenever it is used up.
    """
    if "OMP_NUM_THREADS" in os.environ:
        return
    try:
        if (cgroup / "cpu.max").exists():  # version 2
            quota, period = map(int, (cgroup / "cpu.max").read_text().split())
        else:
            quota, period = (
                int((cgroup / f"cpu/cpu.cfs_{name}_us").read_text()) for name in ("quota", "period")
            )
    except (OSError, ValueError):  # no Linux, no limit ("max"), or cgroups of another form
        return
    if quota > 0:  # -1: no limit
        torch.set_num_threads(min(torch.get_num_threads(), max(1, round(quota / period))))


def versions() -> dict[str, str]:
    """The versions that decide what a run computes."""
    return {
        "mnist-adder": mnist_adder.__version__,
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in ("torch", "lightning", "numpy")},
    }


def source_commit() -> str | None:
    """The git commit of this package's source, ``+changes`` if edited since; None outside a checkout."""
    here = Path(mnist_adder.__file__).parent
    if _git(here, "ls-files", "--error-unmatch", "__init__.py") is None:
        return None  # not a checkout, or one that merely contains the environment we are installed in
    commit = _git(here, "rev-parse", "HEAD")
    changed = _git(here, "status", "--porcelain", "--", ".")
    return f"{commit}+changes" if commit and changed else commit


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
