from __future__ import annotations

import contextlib
import gzip
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from mnist_adder.data import idx
from mnist_adder.data.idx import read_idx
from mnist_adder.errors import DataError

SIZE = st.integers(1, 6)
ARRAYS = arrays(np.uint8, st.one_of(st.tuples(SIZE), st.tuples(SIZE, SIZE, SIZE)))
IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


def encode(array: NDArray[np.uint8]) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


PACKED = gzip.compress(encode(IMAGES), mtime=0)  # the same in every process that collects tests


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("idx") / "some-idx3-ubyte"


def refused(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


@given(array=ARRAYS, packed=st.booleans())
def test_reads_back_what_was_written(path: Path, array: NDArray[np.uint8], packed: bool) -> None:
    content = encode(array)
    path.write_bytes(gzip.compress(content) if packed else content)
    read = read_idx(path)
    assert read.dtype == np.uint8
    assert read.flags.writeable
    np.testing.assert_array_equal(read, array)


@given(array=ARRAYS, packed=st.booleans(), data=st.data())
def test_every_truncation_is_refused(
    path: Path, array: NDArray[np.uint8], packed: bool, data: st.DataObject
) -> None:
    content = gzip.compress(encode(array)) if packed else encode(array)
    refused(path, content[: data.draw(st.integers(0, len(content) - 1))])


@given(array=ARRAYS, packed=st.booleans(), extra=st.binary(min_size=1, max_size=9))
def test_trailing_bytes_are_refused(path: Path, array: NDArray[np.uint8], packed: bool, extra: bytes) -> None:
    content = encode(array)
    assert "after its gzip data" in refused(path, gzip.compress(content) + extra)
    message = refused(path, gzip.compress(content + extra) if packed else content + extra)
    assert "has bytes too many" in message
    assert f"{len(content) + len(extra)} bytes" in message
    assert f"asks for {len(content)}" in message


@given(array=ARRAYS, flip=st.integers(1, 255), data=st.data())
def test_every_change_of_the_header_is_refused(
    path: Path, array: NDArray[np.uint8], flip: int, data: st.DataObject
) -> None:
    content = bytearray(encode(array))
    content[data.draw(st.integers(0, 4 + 4 * array.ndim - 1))] ^= flip
    refused(path, bytes(content))


@given(array=ARRAYS, flip=st.integers(1, 255), data=st.data())
def test_a_changed_byte_of_gzip_never_changes_the_array(
    path: Path, array: NDArray[np.uint8], flip: int, data: st.DataObject
) -> None:
    content = bytearray(gzip.compress(encode(array)))
    content[data.draw(st.integers(0, len(content) - 1))] ^= flip
    path.write_bytes(content)
    with contextlib.suppress(DataError):  # unless it was a byte without meaning, such as the time stamp's
        np.testing.assert_array_equal(read_idx(path), array)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "starts with nothing"),
        (b"\x89PNG\r\n\x1a\n", "starts with 89 50 4e 47"),
        (b"<html>404</html>", "not with 00 00 08 03"),
        (b"\0\0\x0d\x01\0\0\0\x01\0\0\0\0", "starts with 00 00 0d 01"),  # floats
        (b"\0\0\x08\x02\0\0\0\x01\0\0\0\x01a", "starts with 00 00 08 02"),  # a table
        (b"\0\0\x08\x03\0\0\0\x01", "is truncated"),
        (encode(IMAGES)[:-1], "is truncated: 39 bytes, where its header (2 x 3 x 4) asks for 40"),
        (PACKED[:-9], "its gzip data end too early"),
        (PACKED[:-8] + bytes(8), "is damaged"),
        (PACKED * 2, "after its gzip data"),
    ],
)
def test_the_message_says_what_is_wrong(path: Path, content: bytes, words: str) -> None:
    assert words in refused(path, content)


def test_a_gzip_bomb_is_not_unpacked(path: Path) -> None:
    packer = zlib.compressobj(9, wbits=31)
    block = bytes(2**20)
    bomb = b"".join(packer.compress(block) for _ in range(80)) + packer.flush()
    assert len(bomb) < 100_000
    assert "more than 67,108,864 bytes" in refused(path, bomb)


def test_no_more_than_the_largest_size_is_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    array = np.zeros((9, 9, 9), np.uint8)
    content = encode(array)
    monkeypatch.setattr(idx, "LARGEST_BYTES", len(content) - 1)
    for refusable in (content, gzip.compress(content), gzip.compress(np.random.default_rng(0).bytes(2_000))):
        assert f"more than {len(content) - 1} bytes" in refused(path, refusable)
    monkeypatch.setattr(idx, "LARGEST_BYTES", len(content))
    path.write_bytes(gzip.compress(content))
    np.testing.assert_array_equal(read_idx(path), array)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(DataError, match="is missing, or no file"):
            read_idx(path)


@pytest.mark.mnist
def test_reads_the_real_labels(mnist_folder: Path) -> None:
    digits = read_idx(mnist_folder / "t10k-labels-idx1-ubyte.gz")
    assert digits.shape == (10_000,)
    assert digits[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
