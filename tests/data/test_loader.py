from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mnist_adder.data.augment import Augment
from mnist_adder.data.dataset import MNISTAdder
from mnist_adder.data.images import DigitImages
from mnist_adder.data.loader import DeviceLoader
from mnist_adder.types import Batch

AUGMENT = Augment(rotation_degrees=10, translation_pixels=2)


@pytest.fixture
def dataset(data: DigitImages) -> MNISTAdder:
    """10 N pairs, of which no two neighbours are alike."""
    return MNISTAdder(split="validation", data=data)


def numbered(length: int, *, seed: int = 0) -> MNISTAdder:
    """A dataset in which a pair can be told by its image: pair i has the one value i."""
    images = torch.arange(length, dtype=torch.uint8).view(-1, 1, 1).expand(-1, 28, 28)
    digits = torch.arange(length) % 10
    data = DigitImages(
        dataset="digits",
        train_images=images,
        train_digits=digits,
        test_images=images,
        test_digits=digits,
        sha256="",
        origin="",
    )
    return MNISTAdder(split="all", data=data, seed=seed)


def which(batches: DeviceLoader | list[Batch]) -> list[list[int]]:
    return [(batch.images[:, 0, 0, 0] * 255).round().int().tolist() for batch in batches]


def flat(rows: list[list[int]]) -> list[int]:
    return [value for row in rows for value in row]


@given(length=st.integers(1, 60), size=st.integers(1, 70), shuffle=st.booleans())
def test_every_pair_comes_once(length: int, size: int, shuffle: bool) -> None:
    batches = DeviceLoader(numbered(length), size, shuffle=shuffle)
    rows = which(batches)
    assert len(rows) == len(batches)
    assert all(len(row) == size for row in rows[:-1])
    assert sorted(flat(rows)) == list(range(length))
    if not shuffle:
        assert flat(rows) == list(range(length))


@given(length=st.integers(1, 60), size=st.integers(1, 60), processes=st.integers(1, 7), drop=st.booleans())
def test_processes_share_an_epoch(length: int, size: int, processes: int, drop: bool) -> None:
    dataset = numbered(length)
    shards = [
        which(DeviceLoader(dataset, size, shuffle=True, drop_last=drop, rank=rank, world_size=processes))
        for rank in range(processes)
    ]
    assert len({tuple(len(row) for row in shard) for shard in shards}) == 1  # the same sizes everywhere
    if drop and length // processes < size:
        assert shards == [[]] * processes  # not one full batch
        return
    counts = torch.tensor(flat([flat(shard) for shard in shards])).bincount(minlength=length)
    if drop:
        assert counts.max() == 1
        assert {len(row) for shard in shards for row in shard} == {size}
    else:
        assert counts.min() >= 1
        assert counts.sum() < length + processes
    # the b-th batches of all, together, are the b-th batch of one process that takes as many
    whole = which(DeviceLoader(dataset, size * processes, shuffle=True, drop_last=False))
    for number, row in enumerate(zip(*shards, strict=True)):
        assert set(whole[number]) <= set(flat(list(row)))


def test_an_epoch_is_repeatable_and_unlike_the_next() -> None:
    first, second = (DeviceLoader(numbered(60), 60, shuffle=True) for _ in range(2))
    orders = []
    for epoch in (0, 1):
        for batches in (first, second):
            batches.set_epoch(epoch)
        assert which(first) == which(first) == which(second)
        orders += which(first)
    orders += which(DeviceLoader(numbered(60, seed=1), 60, shuffle=True))
    assert len({tuple(order) for order in orders}) == 3


def test_an_epoch_brings_new_numbers(dataset: MNISTAdder) -> None:
    batches = DeviceLoader(dataset, 50, shuffle=False)
    batches.set_epoch(4)
    expected = MNISTAdder.batch(dataset, torch.arange(50)).numbers
    dataset.set_epoch(0)
    assert not torch.equal(dataset.numbers[:50], expected)
    batches.set_epoch(4)
    assert torch.equal(next(iter(batches)).numbers, expected)


def test_a_batch_is_what_the_dataset_says(dataset: MNISTAdder) -> None:
    batches: Iterator[Batch] = iter(DeviceLoader(dataset, 50, shuffle=False))
    for start in (0, 50):
        expected = dataset.batch(torch.arange(start, start + 50))
        for got, part in zip(next(batches), expected, strict=True):
            assert torch.equal(got, part)
            assert got.dtype == part.dtype


def test_augmentation_changes_the_images_alone_and_repeatably(dataset: MNISTAdder) -> None:
    plain = next(iter(DeviceLoader(dataset, 50, shuffle=True)))
    batches = DeviceLoader(dataset, 50, shuffle=True, augment=AUGMENT)
    changed, again = next(iter(batches)), next(iter(batches))
    assert torch.equal(changed.images, again.images)
    assert (changed.images - plain.images).abs().amax((1, 2, 3)).min() > 0.1
    for one, other in zip(changed[1:], plain[1:], strict=True):
        assert torch.equal(one, other)


def test_processes_augment_differently() -> None:
    images = torch.zeros(20, 28, 28, dtype=torch.uint8)
    images[:, 10:18, 12:16] = 255
    digits = torch.arange(20) % 10
    data = DigitImages(
        dataset="digits",
        train_images=images,
        train_digits=digits,
        test_images=images,
        test_digits=digits,
        sha256="",
        origin="",
    )
    dataset = MNISTAdder(split="all", data=data)
    seen = []
    for epoch in (0, 1):
        for rank in (0, 1):
            batches = DeviceLoader(dataset, 10, shuffle=False, augment=AUGMENT, rank=rank, world_size=2)
            batches.set_epoch(epoch)
            seen.append(next(iter(batches)).images)
    assert not any(torch.equal(one, other) for i, one in enumerate(seen) for other in seen[:i])


@pytest.mark.gpu
def test_nothing_waits_for_the_device(dataset: MNISTAdder) -> None:
    batches = iter(DeviceLoader(dataset.to("cuda"), 20, shuffle=True, augment=AUGMENT))
    next(batches)  # the order of the epoch is copied once
    torch.cuda.set_sync_debug_mode("error")
    try:
        assert next(batches).images.is_cuda
    finally:
        torch.cuda.set_sync_debug_mode("default")
