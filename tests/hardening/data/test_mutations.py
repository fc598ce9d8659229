"""MNIST's four files in all the ways to be wrong: each folder is refused, or loads the very same data.

What a file really holds is asked of Python's own gzip, not of the product: where that differs from what was
published, loading must fail; where loading does not fail, every byte must be right.
"""

from __future__ import annotations

import gzip
import os
import random
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.data.conftest import write_small
from tests.hardening.attempts import Faults
from tests.hardening.data.mutations import (
    ALWAYS_HARMLESS,
    IMAGES,
    MUTATIONS,
    NAMES,
    NEVER_HARMLESS,
    PACKED,
    Draw,
    Files,
)

from mnist_adder.data.images import DigitImages, load_images
from mnist_adder.data.mnist import MNIST, Manifest
from mnist_adder.errors import DataError


class Original:
    """The small dataset, intact."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest: Manifest = write_small(folder)
        self.files = {name: (folder / name).read_bytes() for name in PACKED}
        self.data = load_images("mnist", folder, manifest=self.manifest)

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


def same(one: DigitImages, other: DigitImages) -> bool:
    parts = ("train_images", "train_digits", "test_images", "test_digits")
    return all(torch.equal(getattr(one, part), getattr(other, part)) for part in parts)


def load_or_refuse(folder: Path, manifest: Manifest, dataset: str = "mnist") -> DigitImages | None:
    """The data, or None where the folder is refused in one line that names it."""
    try:
        return load_images(dataset, folder, pytest.fail, manifest=manifest)  # type: ignore[arg-type]
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
@given(draws=st.data())
def test_a_mutated_folder_is_refused_or_harmless(
    original: Original,
    tmp_path: Path,
    faults: Faults,
    mutate: Callable[[Draw, Files], None],
    draws: st.DataObject,
) -> None:
    files = dict(original.files)
    mutate(draws.draw, files)
    folder = tmp_path / "mutated"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    with faults(mutate.__name__.replace("_", " ")):
        data = load_or_refuse(folder, original.manifest, draws.draw(st.sampled_from(["mnist", "auto"])))
        if data is None:
            assert mutate not in ALWAYS_HARMLESS
        else:
            assert mutate not in NEVER_HARMLESS
            assert original.holds(files)
            assert same(data, original.data)
            assert data.sha256 == original.data.sha256


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
        assert load_or_refuse(folder, original.manifest) is None


@pytest.mark.mnist
def test_a_mutated_real_file_is_refused(
    mnist: DigitImages, mnist_folder: Path, tmp_path: Path, faults: Faults
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
