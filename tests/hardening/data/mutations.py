"""The ways in which MNIST's four files can be wrong, for ``test_mutations``.

A folder's files come in and are changed in place, as Hypothesis draws; what the names say is what is done.
"""

from __future__ import annotations

import functools
import gzip
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from tests.data.conftest import to_idx

from mnist_adder.data.mnist import MNIST

Draw = Callable[[st.SearchStrategy[Any]], Any]
Files = dict[str, bytes]  # by name, as they lie in the folder
NAMES = [file.name for file in MNIST.files]
IMAGES, LABELS = NAMES[::2], NAMES[1::2]
PACKED = [f"{name}.gz" for name in NAMES]
pack = functools.partial(gzip.compress, compresslevel=1, mtime=0)


def put(draw: Draw, files: Files, name: str, content: bytes | bytearray) -> None:
    """Replace a file's content, packed or not."""
    if draw(st.booleans()):
        files[f"{name}.gz"] = pack(content)
    else:
        del files[f"{name}.gz"]
        files[name] = bytes(content)


def content_of(draw: Draw, files: Files, names: list[str] = NAMES) -> tuple[str, bytearray]:
    name = draw(st.sampled_from(names))
    return name, bytearray(gzip.decompress(files[f"{name}.gz"]))


def flip(draw: Draw, content: bytearray) -> None:
    for _ in range(draw(st.integers(1, 8))):
        content[draw(st.integers(0, len(content) - 1))] ^= 1 << draw(st.integers(0, 7))


def truncated(draw: Draw, files: Files) -> None:
    name = draw(st.sampled_from(PACKED))
    files[name] = files[name][: draw(st.integers(0, len(files[name]) - 1))]


def content_truncated(draw: Draw, files: Files) -> None:
    name, content = content_of(draw, files)
    put(draw, files, name, content[: draw(st.integers(0, len(content) - 1))])


def bits_flipped(draw: Draw, files: Files) -> None:
    name = draw(st.sampled_from(PACKED))
    content = bytearray(files[name])
    flip(draw, content)
    files[name] = bytes(content)


def content_bits_flipped(draw: Draw, files: Files) -> None:
    name, content = content_of(draw, files)
    flip(draw, content)
    put(draw, files, name, content)


def swapped(draw: Draw, files: Files) -> None:
    order = draw(st.permutations(PACKED))
    files.update(zip(PACKED, [files[name] for name in order], strict=True))


def wrong_magic(draw: Draw, files: Files) -> None:
    name, content = content_of(draw, files)
    content[:4] = draw(st.binary(min_size=4, max_size=4) | st.sampled_from([b"\0\0\x08\1", b"\0\0\x08\3"]))
    put(draw, files, name, content)


def counts_that_disagree(draw: Draw, files: Files) -> None:
    """In the header, with the values; or all in one file, with the other file's."""
    name, content = content_of(draw, files)
    if draw(st.booleans()):
        at = 4 + 4 * draw(st.integers(0, content[3] - 1))
        count = draw(st.sampled_from([0, 1, 19, 39, 41, 2**16, 2**31, 2**32 - 1]) | st.integers(0, 100))
        content[at : at + 4] = struct.pack(">I", count)
    else:
        array = np.frombuffer(content, np.uint8, offset=4 + 4 * content[3])
        array = array.reshape(-1, 28, 28) if name in IMAGES else array
        rows = draw(st.integers(0, len(array) - 1)), draw(st.integers(1, len(array)))
        more = draw(st.booleans())
        content = bytearray(to_idx(np.concatenate([array, array[: rows[1]]]) if more else array[: rows[0]]))
    put(draw, files, name, content)


def labels_from_10_to_255(draw: Draw, files: Files) -> None:
    name, content = content_of(draw, files, LABELS)
    for _ in range(draw(st.integers(1, 5))):
        content[draw(st.integers(8, len(content) - 1))] = draw(st.integers(10, 255))
    put(draw, files, name, content)


def labels_that_are_others(draw: Draw, files: Files) -> None:
    name, content = content_of(draw, files, LABELS)
    content[draw(st.integers(8, len(content) - 1))] = draw(st.integers(0, 9))
    content[8:] = draw(st.permutations(content[8:])) if draw(st.booleans()) else content[8:]
    put(draw, files, name, content)


def images_exchanged(draw: Draw, files: Files) -> None:
    name, content = content_of(draw, files, IMAGES)
    pixels = np.frombuffer(content, np.uint8, offset=16).reshape(-1, 28, 28).copy()
    one, other = (draw(st.integers(0, len(pixels) - 1)) for _ in range(2))
    pixels[[one, other]] = pixels[[other, one]]
    put(draw, files, name, to_idx(pixels))


def bytes_inserted_or_left_out(draw: Draw, files: Files) -> None:
    name, content = content_of(draw, files)
    packed = draw(st.booleans())
    content = bytearray(files[f"{name}.gz"]) if packed else content
    start, length = draw(st.integers(0, len(content))), draw(st.integers(0, 40))
    content[start : start + draw(st.integers(0, 40))] = draw(st.binary(min_size=length, max_size=length))
    if packed:
        files[f"{name}.gz"] = bytes(content)
    else:
        put(draw, files, name, content)


def something_else(draw: Draw, files: Files) -> None:
    page = st.just(b"<!doctype html><title>404</title>")
    picture = st.just(b"\x89PNG\r\n\x1a\n" + bytes(100))
    noise = st.binary(max_size=300)
    put(draw, files, draw(st.sampled_from(NAMES)), draw(page | picture | noise | noise.map(pack)))


def several_gzip_members(draw: Draw, files: Files) -> None:
    name, content = content_of(draw, files)
    at = draw(st.integers(0, len(content)))
    files[f"{name}.gz"] = draw(
        st.sampled_from([pack(content[:at]) + pack(content[at:]), pack(pack(content)), pack(content) * 2])
    )


def packed_otherwise(draw: Draw, files: Files) -> None:
    """Harmless: another level, time, name, comment or extra field."""
    name, content = content_of(draw, files)
    packer = zlib.compressobj(draw(st.integers(0, 9)), wbits=-15)
    stream = packer.compress(content) + packer.flush()
    text = st.binary(min_size=1, max_size=9).map(lambda value: value.replace(b"\0", b"-") + b"\0")
    extra = draw(st.binary(max_size=20))
    header = b"\x1f\x8b\x08\x1c" + draw(st.binary(min_size=4, max_size=4)) + b"\0\3"
    header += struct.pack("<H", len(extra)) + extra + draw(text) + draw(text)
    files[f"{name}.gz"] = header + stream + struct.pack("<II", zlib.crc32(content), len(content))


def files_beside(draw: Draw, files: Files) -> None:
    """Harmless: files of other names, or a wrong one in the form that is not read."""
    name, content = content_of(draw, files)
    flip(draw, content)
    files[draw(st.sampled_from([name, f".{name}.gz.k3x", "README", f"{name}.gz.part"]))] = bytes(content)


MUTATIONS = [
    truncated,
    content_truncated,
    bits_flipped,
    content_bits_flipped,
    swapped,
    wrong_magic,
    counts_that_disagree,
    labels_from_10_to_255,
    labels_that_are_others,
    images_exchanged,
    bytes_inserted_or_left_out,
    something_else,
    several_gzip_members,
    packed_otherwise,
    files_beside,
]
ALWAYS_HARMLESS = (packed_otherwise, files_beside)
NEVER_HARMLESS = (truncated, content_truncated, labels_from_10_to_255, something_else)
