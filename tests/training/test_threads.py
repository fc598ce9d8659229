"""A container's quota of processor time limits the threads, as cgroups of both versions state it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from mnist_adder import environment


@pytest.fixture(autouse=True)
def _eight_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(8)
    yield
    torch.set_num_threads(before)


def version_1(folder: Path, quota: str, period: str) -> None:
    (folder / "cpu").mkdir()
    (folder / "cpu/cpu.cfs_quota_us").write_text(f"{quota}\n")
    (folder / "cpu/cpu.cfs_period_us").write_text(f"{period}\n")


def version_2(folder: Path, quota: str, period: str) -> None:
    (folder / "cpu.max").write_text(f"{quota} {period}\n")


@pytest.mark.parametrize("write", [version_1, version_2])
@pytest.mark.parametrize(("quota", "threads"), [("200000", 2), ("50000", 1), ("1600000", 8)])
def test_no_more_threads_than_the_quota(tmp_path: Path, write: object, quota: str, threads: int) -> None:
    assert callable(write)
    write(tmp_path, quota, "100000")
    environment.limit_threads(tmp_path)
    assert torch.get_num_threads() == threads


def test_without_a_limit_the_threads_stay(tmp_path: Path) -> None:
    environment.limit_threads(tmp_path)  # no cgroups
    version_1(tmp_path, "-1", "100000")
    environment.limit_threads(tmp_path)
    version_2(tmp_path, "max", "100000")
    environment.limit_threads(tmp_path)
    assert torch.get_num_threads() == 8


def test_a_number_that_was_named_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    version_2(tmp_path, "100000", "100000")
    environment.limit_threads(tmp_path)
    assert torch.get_num_threads() == 8
