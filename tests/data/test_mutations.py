"""MNIST's four files in all the ways to be wrong: each folder is refused, or loads the very same data.

What a file really holds is asked of Python's own gzip, not of the product: where that differs from what was
published, loading must fail; where loading does not fail, every byte must be right.
"""

from __future__ import annotations

import functools
import gzip
import os
import random
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.attempts import Faults
from tests.data.conftest import to_idx, write_release

from mnist_adder.data import Corpus, load_corpus
from mnist_adder.data.release import MNIST, Release
from mnist_adder.errors import DataError

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


class Original:
    """The small release, intact."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.release: Release = write_release(folder)
        self.files = {name: (folder / name).read_bytes() for name in PACKED}
        self.corpus = load_corpus("mnist", folder, release=self.release)

    def holds(self, files: Files) -> bool:
        """Whether files hold what was published, as Python's gzip reads them."""
        try:
            found = [self._plain(files, name) for name in NAMES]
        except (OSError, EOFError, zlib.error):
            return False
        return found == [gzip.decompress(self.files[name]) for name in PACKED]

    def _plain(self, files: Files, name: str) -> bytes:
        packed = files.get(f"{name}.gz")
        return files[name] if packed is None else gzip.decompress(packed)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Original:
    return Original(tmp_path_factory.mktemp("original"))


def same(one: Corpus, other: Corpus) -> bool:
    parts = ("train_images", "train_digits", "test_images", "test_digits")
    return all(torch.equal(getattr(one, part), getattr(other, part)) for part in parts)


def load_or_refuse(folder: Path, release: Release, dataset: str = "mnist") -> Corpus | None:
    """The corpus, or None where the folder is refused in one line that names it."""
    try:
        return load_corpus(dataset, folder, pytest.fail, release=release)  # type: ignore[arg-type]
    except DataError as error:
        message = str(error)
    assert str(folder) in message
    assert "\n" not in message
    return None


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__)
@settings(
    max_examples=len(Faults.times(150, 20)),
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_a_mutated_folder_is_refused_or_harmless(
    original: Original,
    tmp_path: Path,
    faults: Faults,
    mutate: Callable[[Draw, Files], None],
    data: st.DataObject,
) -> None:
    files = dict(original.files)
    mutate(data.draw, files)
    folder = tmp_path / "mutated"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    with faults(mutate.__name__.replace("_", " ")):
        corpus = load_or_refuse(folder, original.release, data.draw(st.sampled_from(["mnist", "auto"])))
        if corpus is None:
            assert mutate not in ALWAYS_HARMLESS
        else:
            assert mutate not in NEVER_HARMLESS
            assert original.holds(files)
            assert same(corpus, original.corpus)
            assert corpus.sha256 == original.corpus.sha256


def to_nowhere(path: Path) -> None:
    path.symlink_to("nowhere")


def in_a_circle(path: Path) -> None:
    path.symlink_to(path.name)


def to_a_device_without_end(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize(
    "make", [to_nowhere, in_a_circle, to_a_device_without_end, Path.mkdir, os.mkfifo, lambda _: None]
)
@pytest.mark.parametrize("name", PACKED)
def test_what_is_no_file_is_refused_at_once(
    original: Original, tmp_path: Path, faults: Faults, make: Callable[[Path], None], name: str
) -> None:
    folder = tmp_path / "folder"
    shutil.copytree(original.folder, folder)
    (folder / name).unlink()
    make(folder / name)
    with faults("a link to nowhere, a device, a pipe, a folder or nothing for a file"):
        assert load_or_refuse(folder, original.release) is None


@pytest.mark.mnist
def test_a_mutated_real_file_is_refused(
    mnist: Corpus, mnist_folder: Path, tmp_path: Path, faults: Faults
) -> None:
    """Of each attempt three files are MNIST's own."""
    for attempt in faults.times(100, 4):
        chance = random.Random(attempt)
        folder = tmp_path / str(attempt)
        shutil.copytree(mnist_folder, folder, copy_function=os.symlink)
        name = NAMES[attempt % 4]
        (path,) = folder.glob(f"{name}*")
        content = bytearray(path.read_bytes())
        content = bytearray(gzip.decompress(content) if path.suffix == ".gz" else content)
        at = chance.randrange(16, len(content))
        match chance.randrange(4):
            case 0:
                del content[at:]
            case 1:
                content[at] ^= 1 << chance.randrange(8)
            case 2:
                content[4:8] = struct.pack(">I", chance.randrange(2**17))
            case 3:
                first = 16 if name in IMAGES else 8
                content[first:] = content[first + 1 :] + content[first : first + 1]  # all move up by one
        path.unlink()
        (folder / name).write_bytes(content)
        with faults("a real file changed"):
            assert load_or_refuse(folder, MNIST) is None
        shutil.rmtree(folder)
