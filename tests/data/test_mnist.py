from __future__ import annotations

import contextlib
import gzip
import hashlib
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from tests.data.conftest import to_idx

from mnist_adder.data import mnist
from mnist_adder.data.mnist import MNIST, Manifest, load_mnist, parse_idx, unpack
from mnist_adder.errors import DataError

SIZE = st.integers(1, 6)
ARRAYS = arrays(np.uint8, st.one_of(st.tuples(SIZE), st.tuples(SIZE, SIZE, SIZE)))
IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


PACKED = gzip.compress(to_idx(IMAGES), mtime=0)  # the same in every process that collects tests


PATH = Path("some-idx3-ubyte")


def read(content: bytes) -> NDArray[np.uint8]:
    return parse_idx(unpack(content, PATH), PATH)


def refused(content: bytes) -> str:
    with pytest.raises(DataError) as caught:
        read(content)
    assert str(PATH) in str(caught.value)
    return str(caught.value)


@given(array=ARRAYS, packed=st.booleans())
def test_reads_back_what_was_written(array: NDArray[np.uint8], packed: bool) -> None:
    content = to_idx(array)
    found = read(gzip.compress(content) if packed else content)
    assert found.dtype == np.uint8
    assert found.flags.writeable
    np.testing.assert_array_equal(found, array)


@given(array=ARRAYS, packed=st.booleans(), data=st.data())
def test_every_truncation_is_refused(array: NDArray[np.uint8], packed: bool, data: st.DataObject) -> None:
    content = gzip.compress(to_idx(array)) if packed else to_idx(array)
    refused(content[: data.draw(st.integers(0, len(content) - 1))])


@given(array=ARRAYS, packed=st.booleans(), extra=st.binary(min_size=1, max_size=9))
def test_trailing_bytes_are_refused(array: NDArray[np.uint8], packed: bool, extra: bytes) -> None:
    content = to_idx(array)
    refused(gzip.compress(content) + extra)
    refused(gzip.compress(content + extra) if packed else content + extra)


@given(array=ARRAYS, flip=st.integers(1, 255), data=st.data())
def test_every_change_of_the_header_is_refused(
    array: NDArray[np.uint8], flip: int, data: st.DataObject
) -> None:
    content = bytearray(to_idx(array))
    content[data.draw(st.integers(0, 4 + 4 * array.ndim - 1))] ^= flip
    refused(bytes(content))


@given(array=ARRAYS, flip=st.integers(1, 255), data=st.data())
def test_a_changed_byte_of_gzip_never_changes_the_array(
    array: NDArray[np.uint8], flip: int, data: st.DataObject
) -> None:
    content = bytearray(gzip.compress(to_idx(array)))
    content[data.draw(st.integers(0, len(content) - 1))] ^= flip
    with contextlib.suppress(DataError):  # unless it was a byte without meaning, such as the time stamp's
        np.testing.assert_array_equal(read(bytes(content)), array)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no IDX file of images or labels"),
        (b"\x89PNG\r\n\x1a\n", "no IDX file of images or labels"),
        (b"<html>404</html>", "no IDX file of images or labels"),
        (b"\0\0\x0d\x01\0\0\0\x01\0\0\0\0", "no IDX file of images or labels"),  # floats
        (b"\0\0\x08\x02\0\0\0\x01\0\0\0\x01a", "no IDX file of images or labels"),  # a table
        (b"\0\0\x08\x03\0\0\0\x01", "is truncated"),
        (to_idx(IMAGES)[:-1], "is truncated"),
        (PACKED[:-9], "is truncated or damaged"),
        (PACKED[:-8] + bytes(8), "is truncated or damaged"),
        (PACKED * 2, "do not unpack to a file of MNIST"),
    ],
)
def test_the_message_says_what_is_wrong(content: bytes, words: str) -> None:
    assert words in refused(content)


def test_a_gzip_bomb_is_not_unpacked() -> None:
    packer = zlib.compressobj(9, wbits=31)
    block = bytes(2**20)
    bomb = b"".join(packer.compress(block) for _ in range(80)) + packer.flush()
    assert len(bomb) < 100_000
    assert "do not unpack to a file of MNIST" in refused(bomb)


def test_no_more_than_the_largest_size_is_read(
    small: tuple[Path, Manifest], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, manifest = small
    path = folder / f"{MNIST.files[0].name}.gz"
    packed = path.read_bytes()
    plain = gzip.decompress(packed)
    limit = 30_000
    monkeypatch.setattr(mnist, "LARGEST_BYTES", limit)
    for content, words in (
        (packed, "has more than 30,000 bytes"),
        (plain, "has more than 30,000 bytes"),
        (gzip.compress(bytes(2 * limit)), "do not unpack"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=rf"{path} .*{words}"):
            load_mnist(folder, manifest=manifest)
    monkeypatch.setattr(mnist, "LARGEST_BYTES", max(len(packed), len(plain)))
    path.write_bytes(packed)
    assert load_mnist(folder, manifest=manifest)[1][0].shape == (40, 28, 28)


def dotted(folder: Path) -> None:
    for path in list(folder.iterdir()):
        path.rename(folder / path.name.replace("-idx", ".idx"))


def dotted_and_unpacked(folder: Path) -> None:
    for path in list(folder.iterdir()):
        (folder / path.stem.replace("-idx", ".idx")).write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()


def below(place: str) -> Callable[[Path], None]:
    def move(folder: Path) -> None:
        files = list(folder.iterdir())
        (folder / place).mkdir(parents=True)
        for path in files:
            path.rename(folder / place / path.name)

    return move


@pytest.mark.parametrize("move", [dotted, dotted_and_unpacked, below("raw"), below("MNIST/raw")])
def test_other_names_and_folders_below(small: tuple[Path, Manifest], move: Callable[[Path], None]) -> None:
    folder, manifest = small
    before = load_mnist(folder, manifest=manifest)[1]
    move(folder)
    found, after = load_mnist(folder, manifest=manifest)
    assert found == folder
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_only_the_files_of_the_manifest_are_read(small: tuple[Path, Manifest]) -> None:
    folder, manifest = small
    for file in manifest.files[:2]:
        (folder / f"{file.name}.gz").unlink()
    images, digits = load_mnist(folder, manifest=Manifest(manifest.files[2:], ()))[1]
    assert images.shape == (20, 28, 28)
    assert digits.shape == (20,)


def test_the_cache_alone_is_asked_without_mirrors(small: tuple[Path, Manifest], cache: Path) -> None:
    folder, manifest = small
    with pytest.raises(DataError, match=f"not in the cache, {cache}, and cannot be downloaded"):
        load_mnist(manifest=manifest)
    shutil.copytree(folder, cache)
    found, arrays = load_mnist(manifest=manifest)
    assert found == cache
    assert [array.shape for array in arrays] == [(40, 28, 28), (40,), (20, 28, 28), (20,)]


@pytest.mark.mnist
def test_reads_the_real_labels(mnist_folder: Path) -> None:
    (digits,) = load_mnist(mnist_folder, manifest=Manifest(MNIST.files[3:], ()))[1]
    assert digits.shape == (10_000,)
    assert digits[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]


@pytest.mark.mnist
def test_the_real_files_are_the_published_ones(mnist_folder: Path) -> None:
    for file in MNIST.files:
        path = mnist_folder / f"{file.name}.gz"
        if path.exists():
            packed = path.read_bytes()
            assert len(packed) == file.packed_bytes
            content = gzip.decompress(packed)
        else:
            content = (mnist_folder / file.name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == file.sha256


def test_the_mirrors_are_folders_behind_tls() -> None:
    assert len(MNIST.mirrors) == 2
    assert all(mirror.startswith("https://") and mirror.endswith("/") for mirror in MNIST.mirrors)
