from __future__ import annotations

import multiprocessing
from typing import Any, Literal

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from mnist_adder.data.dataset import MNISTAdder
from mnist_adder.data.images import DigitImages
from mnist_adder.errors import DataError

SIZES = {
    "mnist": {"train": 55_000, "validation": 5_000, "all": 60_000, "test": 10_000},
    "digits": {"train": 1_297, "validation": 140, "all": 1_437, "test": 360},
}


@pytest.mark.parametrize("split", ["train", "validation", "all", "test"])
def test_the_splits(data: DigitImages, split: Any) -> None:
    dataset = MNISTAdder(split=split, data=data)
    size = SIZES[data.dataset][split]
    assert len(dataset) == size
    assert dataset.dataset == data.dataset
    assert dataset.images.shape == (size, 1, 28, 28)
    assert dataset.images.dtype == torch.uint8
    assert dataset.digits.shape == dataset.numbers.shape == (size,)
    assert dataset.digits.dtype == dataset.numbers.dtype == torch.int64


def test_train_and_validation_make_up_all(data: DigitImages) -> None:
    train, validation, both = (MNISTAdder(split=split, data=data) for split in ("train", "validation", "all"))
    assert torch.equal(both.images.squeeze(1), data.train_images)
    assert torch.equal(both.digits, data.train_digits)
    assert torch.equal(train.digits.bincount() + validation.digits.bincount(), both.digits.bincount())
    ink = torch.cat((train.images, validation.images)).sum((1, 2, 3)).sort().values
    assert torch.equal(ink, both.images.sum((1, 2, 3)).sort().values)


def test_an_item(data: DigitImages) -> None:
    dataset = MNISTAdder(split="test", data=data)
    (image, number), (digit, total) = dataset[3]
    assert image.shape == (1, 28, 28)
    assert image.dtype == torch.float32
    assert torch.equal(image[0], data.test_images[3] / 255)
    assert 0 <= image.min() < image.max() <= 1
    assert type(number) is type(digit) is type(total) is int
    assert number == dataset.numbers[3]
    assert digit == data.test_digits[3]
    assert total == digit + number


@given(draws=st.data(), pairs=st.sampled_from(["random", "all"]))
def test_items_lists_and_batches_agree(
    data: DigitImages, draws: st.DataObject, pairs: Literal["random", "all"]
) -> None:
    dataset = MNISTAdder(split="validation", data=data, pairs=pairs)
    length = len(dataset)
    indices = draws.draw(st.lists(st.integers(-length, length - 1), max_size=5))
    items = dataset.__getitems__(indices)
    batch = dataset.batch(torch.tensor(indices, dtype=torch.int64) % length)
    assert len(items) == len(indices) == len(batch.images)
    for row, index in enumerate(indices):
        (image, number), (digit, total) = dataset[index]
        (also_image, also_number), answers = items[row]
        assert torch.equal(image, also_image)
        assert torch.equal(image, batch.images[row])
        assert (number, digit, total) == (also_number, *answers)
        assert (number, digit, total) == tuple(part[row].item() for part in batch[1:])
        assert number == dataset.numbers[index]
        assert total == digit + number


def test_all_pairs(data: DigitImages) -> None:
    dataset = MNISTAdder(split="test", data=data, pairs="all")
    count = len(data.test_digits)
    assert len(dataset) == len(dataset.numbers) == 10 * count
    batch = dataset.batch(torch.arange(len(dataset)))
    assert torch.equal(batch.numbers, torch.arange(10).repeat(count))
    assert torch.equal(batch.digits, data.test_digits.repeat_interleave(10))
    assert torch.equal(batch.images[9, 0], data.test_images[0] / 255)
    assert torch.equal(batch.images[10, 0], data.test_images[1] / 255)
    numbers = dataset.numbers.clone()
    dataset.set_epoch(3)
    assert torch.equal(dataset.numbers, numbers)


def test_numbers_are_drawn_anew_each_epoch_and_repeatably(data: DigitImages) -> None:
    dataset = MNISTAdder(data=data, seed=5)
    drawn = []
    for epoch in range(3):
        dataset.set_epoch(epoch)
        drawn.append(dataset.numbers.clone())
    dataset.set_epoch(1)
    assert torch.equal(dataset.numbers, drawn[1])
    drawn.append(MNISTAdder(data=data, seed=6).numbers)
    torch.manual_seed(1)
    assert torch.equal(MNISTAdder(data=data, seed=5).numbers, drawn[0])
    for i, one in enumerate(drawn):
        for other in drawn[:i]:
            assert 0.05 < (one == other).float().mean() < 0.15  # 0.1 if unrelated


def test_numbers_are_even_and_include_nine(data: DigitImages) -> None:
    dataset = MNISTAdder(data=data)
    counts = torch.zeros(10)
    for epoch in range(20):
        dataset.set_epoch(epoch)
        counts += dataset.numbers.bincount(minlength=10)
    assert dataset.numbers.min() >= 0
    assert (counts / counts.sum() - 0.1).abs().max() < 0.01
    seen = dataset.batch(torch.arange(len(dataset))).sums
    assert seen.min() == 0
    assert seen.max() == 18


def test_the_global_generator_is_left_alone(data: DigitImages) -> None:
    state = torch.get_rng_state()
    MNISTAdder(data=data).set_epoch(2)
    assert torch.equal(torch.get_rng_state(), state)


def test_an_ordinary_loader_takes_it(data: DigitImages) -> None:
    dataset = MNISTAdder(split="validation", data=data)
    (images, numbers), (digits, sums) = next(iter(DataLoader(dataset, batch_size=7)))
    assert images.shape == (7, 1, 28, 28)
    assert images.dtype == torch.float32
    assert numbers.dtype == digits.dtype == sums.dtype == torch.int64
    for got, expected in zip((images, numbers, digits, sums), dataset.batch(torch.arange(7)), strict=True):
        assert torch.equal(got, expected)


def test_workers_that_live_on_see_new_numbers(data: DigitImages) -> None:
    dataset = MNISTAdder(split="validation", data=data)
    loader: DataLoader[Any] = DataLoader(
        dataset,
        batch_size=100,
        num_workers=1,
        persistent_workers=True,
        multiprocessing_context=multiprocessing.get_context("spawn"),
    )
    for epoch in range(2):
        dataset.set_epoch(epoch)
        numbers = torch.cat([numbers for (_, numbers), _ in loader])
        assert torch.equal(numbers, dataset.numbers)


def test_it_ends(data: DigitImages) -> None:
    dataset = MNISTAdder(split="validation", data=data)
    anything: Any = dataset
    assert sum(1 for _ in anything) == len(dataset)  # Python's own protocol: up to the IndexError
    for index in (len(dataset), -len(dataset) - 1):
        with pytest.raises(IndexError, match="out of range"):
            dataset[index]


def test_moving_it_returns_itself(data: DigitImages) -> None:
    dataset = MNISTAdder(split="validation", data=data)
    assert dataset.to("cpu") is dataset
    assert dataset.device == torch.device("cpu")


def test_a_split_that_does_not_exist_is_refused(data: DigitImages) -> None:
    with pytest.raises(DataError, match="'training': choose train, validation, test or all"):
        MNISTAdder(split="training", data=data)  # type: ignore[arg-type]


def test_an_epoch_before_the_first_is_refused(data: DigitImages) -> None:
    with pytest.raises(ValueError, match="non-negative"):
        MNISTAdder(data=data).set_epoch(-1)


def test_without_a_data_it_loads_one() -> None:
    assert len(MNISTAdder(split="test", dataset="digits")) == 360


@pytest.mark.mnist
def test_the_root_is_a_folder_of_mnist(mnist_folder: Any) -> None:
    assert len(MNISTAdder(mnist_folder, "validation")) == 5_000


@pytest.mark.gpu
def test_batches_are_made_where_the_images_are(data: DigitImages) -> None:
    dataset = MNISTAdder(split="validation", data=data)
    on_cpu = dataset.batch(torch.arange(9))
    on_gpu = dataset.to("cuda").batch(torch.arange(9))
    for one, other in zip(on_cpu, on_gpu, strict=True):
        assert other.is_cuda
        assert torch.equal(one, other.cpu())
