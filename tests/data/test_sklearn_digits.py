from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from mnist_adder.data.images import DigitImages, load_images
from mnist_adder.data.sklearn_digits import load_sklearn_digits, mnist_like

SMALL = arrays(np.float64, (8, 8), elements=st.sampled_from([0.0, 0.0, 0.25, 1.0])).filter(
    lambda image: image.any()
)


@pytest.fixture(scope="module")
def digits() -> DigitImages:
    return load_images("digits")


def test_all_digits_are_there_in_file_order(digits: DigitImages) -> None:
    labels = load_digits(return_X_y=True)[1]
    assert digits.dataset == "digits"
    assert "scikit-learn" in digits.origin
    assert digits.train_images.shape == (1_437, 28, 28)
    assert digits.test_images.shape == (360, 28, 28)
    assert torch.cat((digits.train_digits, digits.test_digits)).tolist() == labels.tolist()
    assert digits.train_images.dtype == torch.uint8
    assert digits.train_digits.dtype == torch.int64


def test_they_look_like_mnist(digits: DigitImages) -> None:
    images = torch.cat((digits.train_images, digits.test_images)).float()
    rows, columns = (images > 0).any(2), (images > 0).any(1)
    assert (torch.maximum(extent(rows), extent(columns)) <= 20).all()
    assert torch.maximum(extent(rows), extent(columns)).float().mean() > 19.5
    mass, line = images.sum((1, 2)), torch.arange(28.0)
    for centre in (images.sum(2) @ line / mass, images.sum(1) @ line / mass):
        assert (centre - 14).abs().max() < 0.52
    assert images.amax((1, 2)).min() > 200
    assert 0.1 < images.mean() / 255 < 0.2  # MNIST: 0.13


def extent(inked: torch.Tensor) -> torch.Tensor:
    """From the first to the last inked place of each line (N, 28)."""
    place = torch.arange(28)
    last = torch.where(inked, place, -1).amax(1)
    return last - torch.where(inked, place, 28).amin(1) + 1


def test_the_file_is_read_as_scikit_learn_reads_it() -> None:
    small, labels = load_digits(return_X_y=True)
    images, digits = load_sklearn_digits()
    expected = [mnist_like(image) for image in small.reshape(-1, 8, 8) / 16]
    np.testing.assert_array_equal(images, np.stack(expected))
    np.testing.assert_array_equal(digits, labels)
    assert images.dtype == digits.dtype == np.uint8


@given(image=SMALL)
def test_any_ink_is_brought_inside(image: NDArray[np.float64]) -> None:
    result = mnist_like(image)
    assert result.shape == (28, 28)
    assert result.dtype == np.uint8
    assert result.any()


def test_the_shape_is_kept() -> None:
    image = np.zeros((8, 8))
    image[1:7, 3:5] = 1
    rows, columns = np.nonzero(mnist_like(image))
    assert np.ptp(rows) + 1 == 20
    assert np.ptp(columns) + 1 == 7  # 20 * 2 / 6


@given(down=st.integers(0, 3), right=st.integers(0, 3))
def test_where_the_ink_was_does_not_matter(down: int, right: int) -> None:
    ink = np.arange(20).reshape(5, 4) / 20 + 0.05
    one, other = np.zeros((8, 8)), np.zeros((8, 8))
    one[:5, :4] = ink
    other[down : down + 5, right : right + 4] = ink
    np.testing.assert_array_equal(mnist_like(one), mnist_like(other))
