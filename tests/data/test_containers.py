"""Small containers and other people's machines: hardly any shared memory, no account, no home."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader

from mnist_adder.data.dataset import MNISTAdder
from mnist_adder.data.images import DigitImages

ROOT = Path(__file__).parents[2]

CACHE = """
import os, tempfile
import pooch, platformdirs
from mnist_adder.data.mnist import cache_folder
if os.getuid() == 0:  # root may make a home anywhere
    os.setuid(54321)
print(cache_folder())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows gives each process a cache folder")
@pytest.mark.parametrize("home", ["/nonexistent/home", "somebody else's", None])
def test_without_a_home_the_cache_is_a_temporary_folder(home: str | None) -> None:
    if home is None and os.getuid() != 0:
        home = "~"  # only root can become somebody without an account
    with tempfile.TemporaryDirectory() as temporary:  # tmp_path lies in a folder that nobody else may enter
        Path(temporary).chmod(0o777)
        environment = {"PATH": os.environ["PATH"], "TMPDIR": temporary, "PYTHONPATH": str(ROOT / "src")}
        if home is not None:
            environment["HOME"] = home
        if home == "somebody else's":  # as sudo leaves it
            closed = Path(temporary) / "closed"
            (closed / ".cache").mkdir(parents=True)
            closed.chmod(0)
            environment["HOME"] = str(closed)
        command = [sys.executable, "-W", "error", "-c", CACHE]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert (done.stdout.strip(), done.stderr) == (f"{temporary}/mnist-adder/mnist", "")


def test_a_dataset_does_without_shared_memory(data: DigitImages, monkeypatch: pytest.MonkeyPatch) -> None:
    """/dev/shm may be read-only or full; torch then raises what is raised here."""

    def refuse(_: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("unable to open shared memory object in read-write mode")

    monkeypatch.setattr(torch.Tensor, "share_memory_", refuse)
    dataset = MNISTAdder(split="validation", data=data)
    before = dataset.numbers.clone()
    dataset.set_epoch(1)
    assert not torch.equal(dataset.numbers, before)
    (_, numbers), (digits, sums) = next(iter(DataLoader(dataset, batch_size=8)))
    assert torch.equal(digits + numbers, sums)
