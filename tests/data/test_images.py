from __future__ import annotations

import gzip
import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.data.conftest import to_idx

from mnist_adder.data.images import VALIDATION_SIZES, DigitImages, load_images, split_validation
from mnist_adder.data.mnist import MNIST, Manifest
from mnist_adder.errors import DataError

NAMES = [file.name for file in MNIST.files]
Folder = tuple[Path, Manifest]


def refusal(folder: Path, manifest: Manifest) -> str:
    """The one message with which every mode refuses a folder."""
    messages = set()
    for dataset in ("auto", "mnist"):
        with pytest.raises(DataError) as caught:
            load_images(dataset, folder, pytest.fail, manifest=manifest)
        messages.add(str(caught.value))
    (message,) = messages
    return message


def test_reads_a_folder(small: Folder) -> None:
    folder, manifest = small
    data = load_images("mnist", folder, manifest=manifest)
    assert data.dataset == "mnist"
    assert str(folder) in data.origin
    assert data.train_images.shape == (40, 28, 28)
    assert data.test_images.shape == (20, 28, 28)
    assert data.train_images.dtype == data.test_images.dtype == torch.uint8
    assert data.train_digits.dtype == data.test_digits.dtype == torch.int64
    assert data.train_digits.tolist() == [i % 10 for i in range(40)]
    expected = np.random.default_rng(7).integers(0, 256, (40, 28, 28), np.uint8)
    np.testing.assert_array_equal(data.train_images.numpy(), expected)


def test_the_variable_names_a_folder_and_an_argument_goes_before_it(
    small: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, manifest = small
    monkeypatch.setenv("MNIST_ADDER_DATA", str(folder))
    assert load_images(manifest=manifest).dataset == "mnist"
    monkeypatch.setenv("MNIST_ADDER_DATA", str(tmp_path / "nowhere"))
    assert load_images("auto", folder, manifest=manifest).dataset == "mnist"
    with pytest.raises(DataError, match=r"folder .*nowhere has no .* by --data-dir or MNIST_ADDER_DATA"):
        load_images("auto", manifest=manifest)
    assert load_images("digits").dataset == "digits"  # which needs no folder, and so minds none


def test_unpacked_and_newly_packed_files_are_the_same_data(small: Folder) -> None:
    folder, manifest = small
    before = load_images("mnist", folder, manifest=manifest)
    for name in NAMES[:2]:
        path = folder / f"{name}.gz"
        (folder / name).write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    path = folder / f"{NAMES[2]}.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), 1, mtime=5))
    after = load_images("mnist", str(folder), manifest=manifest)
    assert after.sha256 == before.sha256
    assert torch.equal(after.test_images, before.test_images)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_is_named(small: Folder, name: str) -> None:
    folder, manifest = small
    (folder / f"{name}.gz").unlink()
    assert f"has no {name}.gz" in refusal(folder, manifest)


@pytest.mark.parametrize("name", NAMES)
def test_a_truncated_file_is_named(small: Folder, name: str) -> None:
    folder, manifest = small
    path = folder / f"{name}.gz"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert f"{path} is truncated" in refusal(folder, manifest)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("packed", [True, False])
def test_one_changed_byte_is_named(small: Folder, name: str, packed: bool) -> None:
    folder, manifest = small
    path = folder / f"{name}.gz"
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[-1] ^= 1
    if not packed:
        path.unlink()
        path = folder / name
    path.write_bytes(gzip.compress(content) if packed else content)
    message = refusal(folder, manifest)
    assert f"{path} is damaged" in message
    assert hashlib.sha256(content).hexdigest() in message


@pytest.mark.parametrize(("first", "second"), [(0, 1), (0, 2), (1, 3), (2, 3)])
def test_swapped_files_are_named(small: Folder, first: int, second: int) -> None:
    folder, manifest = small
    one, two = folder / f"{NAMES[first]}.gz", folder / f"{NAMES[second]}.gz"
    content = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(content)
    assert f"{one} holds the content of {NAMES[second]}" in refusal(folder, manifest)


def test_other_data_in_the_same_form_are_refused(small: Folder) -> None:
    folder, manifest = small
    path = folder / f"{NAMES[0]}.gz"
    path.write_bytes(gzip.compress(to_idx(np.zeros((41, 28, 28), np.uint8))))
    assert f"{path} is damaged or not MNIST's" in refusal(folder, manifest)


def test_a_file_in_place_of_the_folder_is_refused(small: Folder) -> None:
    folder, manifest = small
    path = folder / f"{NAMES[0]}.gz"
    assert f"The folder {path} has no {NAMES[0]}.gz" in refusal(path, manifest)


def test_the_cache_is_used_without_a_word(small: Folder, tmp_path: Path) -> None:
    folder, manifest = small
    shutil.copytree(folder, tmp_path / "cache" / "mnist")
    data = load_images("auto", notify=pytest.fail, manifest=manifest)
    assert data.dataset == "mnist"
    assert str(tmp_path / "cache" / "mnist") in data.origin


def test_a_damaged_cache_is_never_used(small: Folder, tmp_path: Path) -> None:
    folder, manifest = small
    shutil.copytree(folder, tmp_path / "cache" / "mnist")
    path = tmp_path / "cache" / "mnist" / f"{NAMES[2]}.gz"
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    said: list[str] = []
    with pytest.raises(DataError, match="cannot be downloaded"):  # there are no mirrors
        load_images("mnist", notify=said.append, manifest=manifest)
    assert load_images("auto", notify=said.append, manifest=manifest).dataset == "digits"
    assert said[0] == f"Downloading MNIST to {path.parent}. Missing or damaged there: {path.name}."


def test_the_fallback_is_announced(small: Folder, data: DigitImages) -> None:
    manifest = small[1]
    said: list[str] = []
    assert load_images(notify=said.append, manifest=manifest).dataset == "digits"
    assert "WITHOUT MNIST" in said[-1]
    assert "scikit-learn" in said[-1]
    assert "MNIST_ADDER_DATA" in said[-1]
    with pytest.warns(UserWarning, match="WITHOUT MNIST"):
        load_images(manifest=manifest)


def test_a_dataset_that_does_not_exist_is_refused() -> None:
    with pytest.raises(DataError, match="'emnist': choose auto, mnist or digits"):
        load_images("emnist")  # type: ignore[arg-type]


def test_the_fingerprint_depends_on_the_data(small: Folder, tmp_path: Path) -> None:
    folder, manifest = small
    bundled = load_images("digits")
    assert bundled.sha256 == load_images("digits").sha256
    assert bundled.sha256 != load_images("mnist", folder, manifest=manifest).sha256
    assert len(bundled.sha256) == 64


@pytest.mark.mnist
def test_real_mnist_is_what_it_should_be(mnist: DigitImages) -> None:
    assert mnist.train_images.shape == (60_000, 28, 28)
    assert mnist.test_images.shape == (10_000, 28, 28)
    assert mnist.train_digits[:8].tolist() == [5, 0, 4, 1, 9, 2, 1, 3]
    assert mnist.test_digits.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert mnist.sha256 == "25c98f992c005963b7428e1f38418b233c9b286cc403519287eb8063f0bcfe07"


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


def test_the_split_of_the_data(data: DigitImages) -> None:
    size = VALIDATION_SIZES[data.dataset]
    train, held_out = split_validation(data.train_digits, size)
    assert data.train_digits[held_out].bincount().tolist() == [size // 10] * 10
    assert len(train) == {"mnist": 55_000, "digits": 1_297}[data.dataset]


@pytest.mark.mnist
def test_the_split_of_mnist_is_pinned(mnist: DigitImages) -> None:
    held_out = split_validation(mnist.train_digits, 5_000)[1]
    assert held_out[:6].tolist() == [23, 34, 57, 79, 93, 99]


def test_a_folder_for_the_bundled_digits_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="digits needs no folder"):
        load_images("digits", tmp_path)
