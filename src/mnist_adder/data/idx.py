"""The IDX format, in which MNIST is published: a short header, then raw bytes.

In: the path of an IDX file, plain or gzipped. Out: its numbers as a uint8 array. Next: sources.

Layout, all integers big-endian: two zero bytes, the type (8 = unsigned byte), the count D of
dimensions, D sizes of four bytes each, then the values, last dimension fastest. MNIST has D = 3 for
images and D = 1 for labels. Source: the format's description by LeCun, Cortes and Burges.
"""

from __future__ import annotations

import math
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mnist_adder.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGEST_BYTES = 64 * 2**20
"""No more than this is read or decompressed; MNIST's largest file unpacks to 47 MB."""

_GZIP = b"\x1f\x8b"
_ADVICE = "Replace it by a fresh copy."


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes with one dimension (labels) or three (images).

    Raises:
        DataError: the file is missing, damaged, truncated, has bytes too many, is no IDX file of this
            kind, or unpacks to more than ``LARGEST_BYTES``.
    """
    return parse_idx(unpack(path), path)


def unpack(path: Path) -> bytes:
    """The bytes of a file, decompressed when they are gzip, whatever the file is called.

    Raises:
        DataError: the file cannot be read, its compression is damaged or cut off, or it is too large.
    """
    try:
        if not path.is_file():
            raise DataError(f"{path} is missing, or no file.")
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error
    if content.startswith(_GZIP) and len(content) <= LARGEST_BYTES:
        content = _gunzip(content, path)
    if len(content) > LARGEST_BYTES:
        raise DataError(f"{path} holds more than {LARGEST_BYTES:,} bytes: this is no MNIST file. {_ADVICE}")
    return content


def _gunzip(content: bytes, path: Path) -> bytes:
    stream = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)  # 16: a gzip header and checksum are demanded
    try:
        plain = stream.decompress(content, LARGEST_BYTES + 1)
    except zlib.error as error:
        raise DataError(f"{path} is damaged: its gzip data do not decompress ({error}). {_ADVICE}") from error
    if len(plain) <= LARGEST_BYTES and not stream.eof:
        raise DataError(f"{path} is truncated: its gzip data end too early. {_ADVICE}")
    if stream.unused_data:
        raise DataError(f"{path} has {len(stream.unused_data):,} bytes after its gzip data. {_ADVICE}")
    return plain


def parse_idx(content: bytes, path: Path) -> NDArray[np.uint8]:
    """Turn the unpacked bytes of an IDX file into an array; ``path`` is for the messages alone.

    Raises:
        DataError: as :func:`read_idx`.
    """
    if len(content) < 4 or content[:3] != b"\0\0\x08" or content[3] not in (1, 3):
        raise DataError(
            f"{path} is no IDX file of images or labels: it starts with {content[:4].hex(' ') or 'nothing'}, "
            f"not with 00 00 08 03 (images) or 00 00 08 01 (labels). {_ADVICE}"
        )
    header = 4 + 4 * content[3]
    shape = tuple(int.from_bytes(content[at : at + 4], "big") for at in range(4, header, 4))
    expected = header + math.prod(shape)
    if len(content) < header or len(content) != expected:
        wrong = "is truncated" if len(content) < max(header, expected) else "has bytes too many"
        raise DataError(
            f"{path} {wrong}: {len(content):,} bytes, where its header ({_times(shape)}) asks for "
            f"{expected:,}. {_ADVICE}"
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape).copy()


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(f"{size:,}" for size in shape)
