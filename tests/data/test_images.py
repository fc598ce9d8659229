from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mnist_adder.data import DigitImages
from mnist_adder.data.images import VALIDATION_SIZES, split_validation
from mnist_adder.errors import DataError

DIGITS = st.lists(st.integers(0, 9), max_size=60).map(
    lambda more: torch.tensor([*range(10), *range(10), *more])
)


@given(digits=DIGITS)
def test_a_split_is_a_balanced_partition(digits: torch.Tensor) -> None:
    train, held_out = split_validation(digits, 10)
    assert torch.equal(torch.cat((train, held_out)).sort().values, torch.arange(len(digits)))
    assert digits[held_out].bincount(minlength=10).tolist() == [1] * 10
    for index in (train, held_out):
        assert index.dtype == torch.int64
        assert torch.equal(index, index.sort().values)


@given(digits=DIGITS)
def test_a_split_is_always_the_same_and_disturbs_nobody(digits: torch.Tensor) -> None:
    state = torch.get_rng_state()
    numpy_state = np.random.get_state(legacy=False)
    first = split_validation(digits, 10)
    assert all(torch.equal(a, b) for a, b in zip(first, split_validation(digits, 10), strict=True))
    assert torch.equal(torch.get_rng_state(), state)
    after = np.random.get_state(legacy=False)
    assert str(after) == str(numpy_state)


@pytest.mark.parametrize("size", [0, -10, 7, 15])
def test_an_uneven_size_is_refused(size: int) -> None:
    with pytest.raises(DataError, match=f"of {size} images: it must be a positive multiple of 10"):
        split_validation(torch.arange(100) % 10, size)


def test_a_digit_with_too_few_images_is_named() -> None:
    digits = torch.tensor([d for d in range(10) for _ in range(2 if d == 4 else 3)])
    with pytest.raises(DataError, match="2 images of a 4 are too few"):
        split_validation(digits, 20)


def test_the_split_of_the_data(data: DigitImages) -> None:
    size = VALIDATION_SIZES[data.dataset]
    train, held_out = split_validation(data.train_digits, size)
    assert data.train_digits[held_out].bincount().tolist() == [size // 10] * 10
    assert len(train) == {"mnist": 55_000, "digits": 1_297}[data.dataset]


@pytest.mark.mnist
def test_the_split_of_mnist_is_pinned(mnist: DigitImages) -> None:
    held_out = split_validation(mnist.train_digits, 5_000)[1]
    assert held_out[:6].tolist() == [23, 34, 57, 79, 93, 99]
