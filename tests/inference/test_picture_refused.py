"""Every way a picture can be wrong, and none that ends in another error than ours."""

from __future__ import annotations

import contextlib
import io
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.inference.test_picture import FORMATS, WANTED
from tests.inference.test_picture import draw as draw
from tests.inference.test_picture import save as save

from mnist_adder.errors import PictureError
from mnist_adder.inference.picture import MAX_FILE_BYTES, MAX_PIXELS, open_picture


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width: int, height: int, *, rows: int = 0, extra: bytes = b"") -> bytes:
    """An 8-bit RGB PNG that promises a size and holds ``rows`` rows of it."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    content = zlib.compress((b"\0" + bytes(3 * width)) * rows)
    parts = chunk(b"IHDR", header) + extra + chunk(b"IDAT", content) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def bmp(width: int, height: int, compression: int, content: bytes) -> bytes:
    """An 8-bit BMP with a palette, run-length coded if ``compression`` is 1."""
    header = struct.pack(
        "<IiiHHIIiiII", 40, width, height, 1, 8, compression, len(content), 0, 0, 256, 0
    ) + bytes(1024)
    offset = 14 + len(header)
    return b"BM" + struct.pack("<IHHI", offset + len(content), 0, 0, offset) + header + content


def gif_with_comment(comment: bytes) -> bytes:
    plain = save(Image.new("L", (20, 20)), "GIF")
    where = plain.index(b",")
    return plain[:where] + b"!\xfe" + comment + b"\0" + plain[where:]


def jpeg_with_segments(segments: bytes) -> bytes:
    plain = save(draw(), "JPEG")
    return plain[:2] + segments + plain[2:]


PICTURE = save(draw(), "PNG")
BAD: dict[str, tuple[Callable[[], Any], str]] = {
    "empty": (lambda: b"", "empty"),
    "text": (lambda: b"not a picture at all", "known kind"),
    "other format": (lambda: save(draw(), "PPM"), "known kind"),
    "riff that is no webp": (lambda: b"RIFF" + bytes(40), "damaged"),
    "truncated": (lambda: PICTURE[: len(PICTURE) // 2], "damaged"),
    "header only": (lambda: PICTURE[:33], "damaged"),
    "one pixel": (lambda: save(Image.new("L", (1, 1)), "PNG"), "1 x 1 pixels; at least 8 x 8"),
    "too flat": (lambda: save(Image.new("L", (700, 7)), "PNG"), "at least 8 x 8"),
    "too large a file": (lambda: PICTURE + bytes(MAX_FILE_BYTES), "20 MB"),
    "png bomb": (lambda: png(100_000, 100_000), "at most 25,000,000"),
    "many chunks": (lambda: png(10, 10, rows=10, extra=chunk(b"ruBy", b"") * 200_000), "too many parts"),
    "gif that grows": (
        lambda: save(Image.new("L", (20, 20)), "GIF").replace(
            b"," + bytes(4) + struct.pack("<HH", 20, 20), b"," + bytes(4) + b"\xff\xff\xff\xff"
        ),
        "at most 25,000,000",
    ),
    "gif of tiny comments": (lambda: gif_with_comment(b"\1a" * 400_000), "too many parts"),
    "jpeg of tiny segments": (lambda: jpeg_with_segments(b"\xff\xe5\0\2" * 200_000), "too many parts"),
    "jpeg of many scans": (
        lambda: save(Image.new("L", (4000, 4000)), "JPEG") + b"\xff\xda" * 100,
        "at most",
    ),
    "wide run-length bmp": (lambda: bmp(2000, 2000, 1, b"\1\1\0\0"), "at most 1,000,000"),
    "endless run-length bmp": (lambda: bmp(500, 500, 1, b"\0\0" * 200_000), "too many parts"),
    "tiff of nan": (lambda: save(Image.fromarray(WANTED * np.float32("nan")), "TIFF"), "finite"),
    "nan": (lambda: WANTED * np.float32("nan"), "0..255 or finite floats"),
    "infinity": (lambda: np.where(WANTED > 0.5, np.inf, 0), "0..255 or finite floats"),
    "floats of 0..255": (lambda: WANTED * 255, "0..255 or finite floats"),
    "negative": (lambda: np.full((28, 28), -1), "0..255 or finite floats"),
    "too bright": (lambda: np.full((28, 28), 256), "0..255 or finite floats"),
    "channels first": (lambda: np.zeros((3, 28, 28)), "shape (3, 28, 28)"),
    "two channels": (lambda: np.zeros((28, 28, 2)), "shape (28, 28, 2)"),
    "a batch": (lambda: np.zeros((1, 1, 28, 28)), "shape (1, 1, 28, 28)"),
    "flat": (lambda: np.zeros(784), "shape (784,)"),
    "heic": (lambda: b"\0\0\0\x18ftypheic" + bytes(40), "HEIC, AVIF or a film, which are not read; export"),
    "avif": (lambda: save(draw(), "AVIF"), "export it as JPEG or PNG"),
    "no pixels": (lambda: np.zeros((0, 28)), "at least 8 x 8"),
    "complex": (lambda: np.zeros((28, 28), dtype=complex), "complex"),
    "words": (lambda: np.full((28, 28), "ink"), "give grey values"),
    "small array": (lambda: np.zeros((2, 2)), "at least 8 x 8"),
    "number": (lambda: 7, "is a int"),
    "nothing": (lambda: None, "is a NoneType"),
    "text file": (lambda: io.StringIO("7"), "binary mode"),
    "large image": (lambda: Image.new("1", (20_000, 3000)), "at most 50,000,000"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_pictures_are_refused_in_one_line(name: str) -> None:
    make, says = BAD[name]
    with pytest.raises(PictureError) as caught:
        open_picture(make())
    message = str(caught.value)
    assert says in message
    assert "\n" not in message
    assert len(message) < 300


def test_bad_paths(tmp_path: Path) -> None:
    folder, missing, locked = tmp_path / "folder", tmp_path / "missing.png", tmp_path / "odd\0name"
    folder.mkdir()
    for path, says in ((folder, "folder"), (missing, "does not exist"), (locked, "cannot be read")):
        with pytest.raises(PictureError, match=says) as caught:
            open_picture(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(PictureError, match="device"):
        open_picture("/dev/zero")


def test_a_closed_file() -> None:
    file = io.BytesIO(PICTURE)
    file.close()
    with pytest.raises(PictureError, match="cannot be read"):
        open_picture(file)


def test_sizes_are_checked_before_pixels_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MAX_PIXELS, "PNG", 119 * 160)

    def decoded(*_: Any) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(Image, "_getdecoder", decoded)
    with pytest.raises(PictureError, match="at most 19,040"):
        open_picture(PICTURE)


SEEDS = [save(draw(24, 32), kind) for kind in FORMATS]
SEEDS += [
    save(draw(24, 32).convert("P"), "PNG", transparency=0),
    save(draw(24, 32).convert("RGB"), "JPEG", progressive=True, exif=b"Exif\0\0II*\0\x08\0\0\0" + bytes(20)),
    save(draw(24, 32).convert("RGBA"), "WEBP", lossless=True),
    save(draw(24, 32).convert("1"), "TIFF", compression="group4"),
    save(draw(24, 32), "TIFF", compression="tiff_lzw"),
    bmp(24, 32, 1, b"\x18\x05\0\0" * 32),
]


def only_picture_errors(data: bytes) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with contextlib.suppress(PictureError):
            plane = open_picture(data)
            assert np.isfinite(plane).all()
            assert plane.min() >= 0
            assert plane.max() <= 1
    assert not caught


@given(st.sampled_from([seed[:k] for seed in SEEDS for k in (0, 4, 12, 30)]), st.binary(max_size=300))
def test_random_bytes(start: bytes, rest: bytes) -> None:
    only_picture_errors(start + rest)


@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6),
    st.floats(0.3, 1),
    st.floats(0, 1),
    st.binary(max_size=8),
)
def test_mutated_files(
    seed: bytes, changes: list[tuple[float, int]], length: float, where: float, inserted: bytes
) -> None:
    data = bytearray(seed)
    for place, value in changes:
        data[int(place**2 * len(data))] = value  # more often in the header than in the pixels
    at = int(where * len(data))
    data[at:at] = inserted
    only_picture_errors(bytes(data[: int(length**0.3 * len(data)) + 1]))


def test_many_mutations_of_each_format() -> None:
    random = np.random.default_rng(5)
    for seed in SEEDS:
        for _ in range(170):
            data = np.frombuffer(seed, np.uint8).copy()
            places = (random.random(random.integers(1, 8)) ** 2 * data.size).astype(int)
            data[places] = random.integers(0, 256, places.size)
            only_picture_errors(data.tobytes())
