"""What the tests of data share: the IDX format, written; and a small dataset published in it."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mnist_adder.data.release import MNIST, Release, ReleaseFile


@pytest.fixture(scope="session")
def encode() -> Callable[[NDArray[np.uint8]], bytes]:
    """Write an array as IDX."""
    return to_idx


def to_idx(array: NDArray[np.uint8]) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def write_release(folder: Path) -> Release:
    """Write a small dataset in MNIST's form, and say what it consists of."""
    random = np.random.default_rng(7)
    arrays = [
        random.integers(0, 256, (40, 28, 28), np.uint8),
        np.arange(40, dtype=np.uint8) % 10,
        random.integers(0, 256, (20, 28, 28), np.uint8),
        np.arange(20, dtype=np.uint8)[::-1] % 10,
    ]
    files = []
    for name, array in zip((file.name for file in MNIST.files), arrays, strict=True):
        content = to_idx(array)
        packed = gzip.compress(content, mtime=0)
        (folder / f"{name}.gz").write_bytes(packed)
        files.append(
            ReleaseFile(
                name=name,
                shape=array.shape,
                sha256=hashlib.sha256(content).hexdigest(),
                packed_sha256=hashlib.sha256(packed).hexdigest(),
                packed_bytes=len(packed),
            )
        )
    return Release(
        train_images=files[0], train_digits=files[1], test_images=files[2], test_digits=files[3], mirrors=()
    )


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Release]:
    """A folder with a small release; nothing else is to be found on this machine."""
    monkeypatch.delenv("MNIST_ADDER_DATA", raising=False)
    monkeypatch.setenv("MNIST_ADDER_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "files"
    folder.mkdir()
    return folder, write_release(folder)
