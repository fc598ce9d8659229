"""Bad pictures by the thousand: made by hand, or at random and the same each time.

For test_hostile_pictures, which gives them to preprocessing and to the command line.
"""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tests.hardening.attempts import Faults
from tests.inference.test_picture_refused import BAD, SEEDS, chunk, draw, jpeg_with_segments, png, save

Mask = NDArray[np.uint8]


def spiral(side: int, step: int = 2) -> Mask:
    """One line that winds to the middle: the longest part with the most turns."""
    mask = np.zeros((side, side), np.uint8)
    for inset in range(0, side // 2, step):
        low, high = inset, side - 1 - inset
        mask[low, max(low - step, 0) : high + 1] = mask[low : high + 1, high] = 255
        mask[high, low : high + 1] = mask[low + step : high + 1, low] = 255
    return mask


def comb(side: int) -> Mask:
    """Teeth that hang together at the far end alone."""
    mask = np.zeros((side, side), np.uint8)
    mask[:, ::2], mask[-1] = 255, 255
    return mask


def serpent(side: int) -> Mask:
    """Rows joined at alternating ends."""
    mask = np.zeros((side, side), np.uint8)
    mask[::2], mask[1::4, -1], mask[3::4, 0] = 255, 255, 255
    return mask


def masks(side: int = 512) -> dict[str, Mask]:
    """Black and white pictures that give whoever labels their parts most to do."""
    y, x = np.indices((side, side))
    random = np.random.default_rng(0)
    drawn = {
        "spiral": spiral(side),
        "wide spiral": spiral(side, 4),
        "comb": comb(side),
        "serpent": serpent(side),
        "chessboard": (x + y) % 2 * 255,
        "chessboard of twos": (x // 2 + y // 2) % 2 * 255,
        "dots": (x % 2 == 0) & (y % 2 == 0),
        "sparse dots": (x % 3 == 0) & (y % 3 == 0),
        "stripes": (x + y) % 3 == 0,
        "zigzag": (y % 8) == np.abs(x % 14 - 7),
        "nested Vs": (y + np.abs(x - side // 2)) % 3 == 0,
        "rings": np.hypot(x - side / 2, y - side / 2).astype(int) % 3 == 0,
        "one row": y == 0,
        "corners": (x % (side - 1) == 0) & (y % (side - 1) == 0),
        **{
            f"noise {share}": random.random((side, side)) < share
            for share in (0.01, 0.2, 0.4, 0.41, 0.5, 0.6)
        },
    }
    as_bytes = {name: np.asarray(mask != 0, np.uint8) * np.uint8(255) for name, mask in drawn.items()}
    turned = {f"{name}, turned": mask.T.copy() for name, mask in as_bytes.items()}
    return {**as_bytes, **turned, **{f"{name}, inverted": 255 - mask for name, mask in as_bytes.items()}}


def tiff(*tags: tuple[int, int, int, int], rest: bytes = b"") -> bytes:
    """A little-endian TIFF of (tag, type, count, value) entries."""
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + bytes(4) + rest


def tarball() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("../../evil"), io.BytesIO())
    return file.getvalue()


def hand_made() -> Iterator[tuple[str, bytes]]:
    """Bad files, each with a reason; and good ones of rare kinds, whose readers have most to do."""
    for make, _ in BAD.values():
        if isinstance(content := make(), bytes):
            yield "a hand-made bad file", content
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
    html, pdf = b"<!DOCTYPE html><script>alert(1)</script>", b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n"
    archives = [
        tarball(),
        gzip.compress(tarball()),
        b"PK\x03\x04" + bytes(60),
        b"\x7fELF" + bytes(60),
        b"#!/bin/sh\n",
    ]
    for content in (b"\0", bytes(1000), b"7", svg, html, pdf, *archives):
        yield "a file of another kind", content
    sizes = [0, 1, 7, 8, 2**15, 2**16, 2**31 - 1, 2**31, 2**32 - 1]
    for width in sizes:
        for height in (0, 8, 2**16, 2**32 - 1):
            header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
            data = chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
            yield "a PNG that promises a size", b"\x89PNG\r\n\x1a\n" + header + data
            small = (width % 2**16, height % 2**16)
            gif = save(draw(24, 32), "GIF")
            yield "a GIF that promises a size", gif[:6] + struct.pack("<HH", *small) + gif[10:]
            entries = [
                (256, 4, 1, width),
                (257, 4, 1, height),
                (258, 3, 1, 8),
                (259, 3, 1, 1),
                (262, 3, 1, 1),
            ]
            entries += [(273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, 100)]
            yield "a TIFF that promises a size", tiff(*entries, rest=bytes(100))
            yield (
                "a TIFF that promises a size",
                tiff(*((tag, kind, 2**31, value) for tag, kind, _, value in entries)),
            )
            signed = [value - 2**32 if value >= 2**31 else value for value in (width, height)]
            header = (
                b"BM"
                + struct.pack("<IHHI", 54, 0, 0, 54)
                + struct.pack("<IiiHHIIiiII", 40, *signed, 1, 24, 0, 0, 0, 0, 0, 0)
            )
            yield "a BMP that promises a size", header
    yield "a bomb", png(5000, 5000, rows=5000)  # 75 MB of zeros in 75 kB
    yield (
        "a bomb",
        png(4999, 5000)[:-12] + chunk(b"IDAT", zlib.compress(bytes(80_000_000))) + chunk(b"IEND", b""),
    )
    yield "a bomb", png(10, 10, rows=10, extra=chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(100_000_000))))
    yield "a bomb", png(10, 10, rows=10, extra=chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(100_000_000))))
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I", "F", "CMYK", "YCbCr", "LAB", "HSV"):
        for kind in ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"):
            for size in ((24, 32), (8, 3000), (3000, 8), (1, 512)):
                try:
                    yield "a rare mode or shape", save(draw(*size).convert("L").convert(mode), kind)
                except (OSError, ValueError):
                    continue  # there is no such file
    frames = [draw(24, 32).convert("RGB") for _ in range(20)]
    for kind in ("GIF", "WEBP", "TIFF", "PNG"):
        yield "an animation", save(frames[0], kind, save_all=True, append_images=frames[1:])
    for exif in (
        b"Exif\0\0",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + bytes(500),
        bytes(range(256)) * 100,
    ):
        yield "EXIF that is none", save(draw().convert("RGB"), "JPEG", exif=exif)
        yield "EXIF that is none", png(24, 32, rows=32, extra=chunk(b"eXIf", exif))
        yield "EXIF that is none", jpeg_with_segments(b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif)
    for value in (np.nan, np.inf, -np.inf, 1e38, -1e38, 1e-45):
        grey = np.asarray(draw(24, 32), np.float32)
        grey[3, 3] = value
        yield "a TIFF of odd floats", save(Image.fromarray(grey), "TIFF")
    for kind, options in (
        ("PNG", {"transparency": 3}),
        ("GIF", {"interlace": 1}),
        ("GIF", {"transparency": 300}),
    ):
        yield "a palette", save(draw(24, 32).convert("P"), kind, **options)
    for compression in (
        "group3",
        "group4",
        "tiff_lzw",
        "tiff_deflate",
        "packbits",
        "jpeg",
        "webp",
        "zstd",
        "lzma",
    ):
        try:
            yield (
                "a compressed TIFF",
                save(
                    draw(400, 512).convert("1" if "group" in compression else "RGB"),
                    "TIFF",
                    compression=compression,
                ),
            )
        except OSError:
            continue


def large() -> Iterator[tuple[str, bytes]]:
    """About the largest that are decoded."""
    random = np.random.default_rng(1)
    noise = random.integers(0, 256, (2200, 2900, 3), dtype=np.uint8)
    yield "large and full of noise", save(Image.fromarray(noise), "JPEG", progressive=True, quality=90)
    yield "large and full of noise", save(Image.fromarray(noise[:2000, :2000]), "PNG", compress_level=1)
    yield "large and full of noise", save(Image.fromarray(noise[:2000]), "WEBP", quality=50, method=0)
    yield "large and full of noise", save(Image.new("L", (9000, 5500)), "JPEG")
    yield "large and full of noise", save(Image.new("RGBA", (5000, 5000)), "PNG", compress_level=1)
    yield "large and full of noise", save(Image.new("RGB", (4000, 4000)), "WEBP", method=0)
    yield "large and full of noise", save(Image.new("F", (2200, 2200), 1.0), "TIFF")


def adversarial(count: int) -> Iterator[tuple[str, bytes]]:
    """Some of the masks, even and in noise."""
    drawn = list(masks().values())
    for mask in drawn[:: len(drawn) // count]:
        yield "a mask that is hard to label", save(Image.fromarray(mask), "PNG")
        rough = mask.astype(int) // 2 + np.random.default_rng(2).integers(0, 100, mask.shape)
        yield "a mask that is hard to label, in noise", save(Image.fromarray(rough.astype(np.uint8)), "PNG")


def swap_chunks(content: bytes, random: np.random.Generator) -> bytes:
    """Exchange two pieces of a file, PNG's at the borders of their chunks."""
    borders = [8]
    while content.startswith(b"\x89PNG") and borders[-1] + 12 <= len(content):
        borders.append(borders[-1] + 12 + int.from_bytes(content[borders[-1] : borders[-1] + 4], "big"))
    if len(borders) < 4:
        borders = [0, *sorted(random.choice(len(content), 4, replace=False).tolist()), len(content)]
    pieces = [content[a:b] for a, b in zip([0, *borders], [*borders, len(content)], strict=True)]
    one, other = random.integers(1, len(pieces), 2)
    pieces[one], pieces[other] = pieces[other], pieces[one]
    return b"".join(pieces)


def fuzzed(attempt: int) -> tuple[str, bytes]:
    """A good file of one of the kinds, changed at random; the same each time."""
    random = np.random.default_rng(attempt)
    seed = SEEDS[attempt % len(SEEDS)]
    data = np.frombuffer(seed, np.uint8).copy()
    way = attempt // len(SEEDS) % 5
    if way == 0:
        places = random.integers(0, data.size, random.integers(1, 6))
        data[places] ^= (1 << random.integers(0, 8, places.size)).astype(np.uint8)
        return "flipped bits", data.tobytes()
    if way == 1:
        return "cut off", seed[: random.integers(data.size)]
    if way == 2:
        return "pieces exchanged", swap_chunks(seed, random)
    if way == 3:
        start = int(random.integers(0, min(64, data.size)))
        count = min(int(random.integers(1, 9)), data.size - start)
        data[start : start + count] = random.choice([0, 1, 127, 128, 254, 255], count)
        return "another header", data.tobytes()
    at = int(random.integers(data.size))
    return "bytes put in or left out", seed[:at] + random.bytes(int(random.integers(0, 20))) + seed[
        at + int(random.integers(0, 5)) :
    ]


def everything() -> Iterator[tuple[str, bytes]]:
    """All pictures; in the suite fewer of those that take long, and of those made at random."""
    yield from hand_made()
    yield from large() if len(Faults.times(1, 0)) else ()
    yield from adversarial(len(Faults.times(len(masks(8)), 10)))
    yield from map(fuzzed, Faults.times(2400, 200))
