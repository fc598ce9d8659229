"""MNIST's four files: what they must contain, and how they are read from a folder, the cache or a mirror.

What counts as MNIST is settled by the SHA-256 of each file's unpacked content. A file that is truncated,
damaged, swapped with another or from a different dataset is named in an error and never used. This module
does not need torch, so the HTTP service reads its sample images with it.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import math
import os
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mnist_adder.errors import DataError, RunError
from mnist_adder.safe_io import read_bytes, write_bytes

DATA_VARIABLE = "MNIST_ADDER_DATA"
"""Environment variable: the folder of the four MNIST files."""
CACHE_VARIABLE = "MNIST_ADDER_CACHE"
"""Environment variable: the folder to use in place of the user's cache folder for this package."""
LARGEST_BYTES = 64 * 2**20
"""No more than this is read or decompressed; MNIST's largest file unpacks to 47 MB."""

TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
"""The published names of the four files, without ``.gz``."""

_FOLDERS = (".", "raw", "MNIST/raw")  # the last two are torchvision's


@dataclass(frozen=True)
class MnistFile:
    """A published file: its name, the size of the ``.gz`` on the mirrors, and what it holds."""

    name: str
    packed_bytes: int
    sha256: str
    """Of the unpacked bytes, header included: a file packed anew, or not at all, is still the file."""


@dataclass(frozen=True)
class Manifest:
    """The files of a dataset, and the mirrors (URLs that end in a slash) that serve them."""

    files: tuple[MnistFile, ...]
    mirrors: tuple[str, ...]


_FILES = (
    MnistFile(TRAIN_IMAGES, 9_912_422, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
    MnistFile(TRAIN_LABELS, 28_881, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    MnistFile(TEST_IMAGES, 1_648_877, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
    MnistFile(TEST_LABELS, 4_542, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
)
_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
MNIST = Manifest(_FILES, _MIRRORS)
"""The MNIST database of handwritten digits (LeCun, Cortes, Burges)."""


def load_mnist(
    data_dir: Path | str | None = None,
    notify: Callable[[str], None] | None = None,
    manifest: Manifest = MNIST,
) -> tuple[Path, list[NDArray[np.uint8]]]:
    """Read MNIST from ``data_dir``, else the folder that ``MNIST_ADDER_DATA`` names, else the cache.

    What the cache lacks is downloaded into it first, from the manifest's mirrors.

    Returns:
        The folder, and an array for each of the manifest's files: images (N, 28, 28) or labels (N,).

    Raises:
        DataError: the folder or a file in it is missing or wrong, or a file cannot be downloaded.
    """
    if data_dir is not None:
        folder, named = _expand_home(data_dir), ""
    elif variable := os.environ.get(DATA_VARIABLE):
        named = f" (named by {DATA_VARIABLE})"
        folder = _expand_home(variable, named)
    else:
        folder = _cache_folder()
        return folder, _read_cache(folder, manifest, notify)
    return folder, _read_folder(folder, named, manifest.files)


def _cache_folder() -> Path:
    if variable := os.environ.get(CACHE_VARIABLE):
        return _expand_home(variable, f" (named by {CACHE_VARIABLE})") / "mnist"
    import pooch

    return Path(pooch.os_cache("mnist-adder")) / "mnist"


def _expand_home(folder: Path | str, named: str = "") -> Path:
    try:
        return Path(folder).expanduser()
    except RuntimeError:  # ~somebody
        raise DataError(f"There is no folder {folder}{named}: whose home is that? Write it out.") from None


def _read_folder(folder: Path, named: str, files: Sequence[MnistFile]) -> list[NDArray[np.uint8]]:
    try:
        if not folder.is_dir():
            raise DataError(f"There is no folder {folder}{named}. Name the one with the four MNIST files.")
        paths = [_find(folder, named, file.name) for file in files]
    except OSError as error:
        raise DataError(f"The folder {folder}{named} cannot be read: {error.strerror}.") from error
    return [_load(path, file, files) for path, file in zip(paths, files, strict=True)]


def _find(folder: Path, named: str, name: str) -> Path:
    """A file by its name, or that with a dot (``train-images.idx3-ubyte``), packed or not."""
    stems = (name, name.replace("-idx", ".idx"))
    for place, stem, ending in itertools.product(_FOLDERS, stems, (".gz", "")):
        if (path := folder / place / f"{stem}{ending}").exists():
            return path
    raise DataError(
        f"The folder {folder}{named} has no {name}.gz, nor {name}. It must hold all four MNIST files."
    )


def _read_cache(
    folder: Path, manifest: Manifest, notify: Callable[[str], None] | None
) -> list[NDArray[np.uint8]]:
    arrays = {}
    for file in manifest.files:
        path = folder / f"{file.name}.gz"
        with contextlib.suppress(DataError):  # missing or damaged: to be downloaded
            arrays[file] = _load(path, file, manifest.files)
    if missing := [file for file in manifest.files if file not in arrays]:
        if notify is not None:
            size = sum(file.packed_bytes for file in missing) / 1e6
            names = ", ".join(f"{file.name}.gz" for file in missing) if arrays else "MNIST"
            notify(f"Downloading {names} to {folder}, missing or damaged there ({size:.1f} MB).")
        arrays |= _download(missing, folder, manifest)
    return [arrays[file] for file in manifest.files]


def _download(
    files: Sequence[MnistFile], folder: Path, manifest: Manifest
) -> dict[MnistFile, NDArray[np.uint8]]:
    """Download files into a folder; where one mirror fails, the next goes on."""
    from mnist_adder.data.download import download  # late: it imports an HTTP client

    arrays: dict[MnistFile, NDArray[np.uint8]] = {}
    reasons = [] if manifest.mirrors else ["there is no mirror"]
    for mirror in manifest.mirrors:
        try:
            for file in files[len(arrays) :]:
                content = download(f"{mirror}{file.name}.gz", file.packed_bytes)
                array = _check(content, Path(f"{file.name}.gz"), file, manifest.files)
                folder.mkdir(parents=True, exist_ok=True)
                write_bytes(folder / f"{file.name}.gz", content)
                arrays[file] = array
            return arrays
        except DataError as error:
            reasons.append(f"{mirror} {error}".rstrip("."))
        except OSError as error:
            reasons.append(f"{error.filename} cannot be written: {error.strerror}")
            break
    names = ", ".join(f"{file.name}.gz" for file in manifest.files)
    raise DataError(
        f"MNIST is not in the cache, {folder}, and cannot be downloaded: {'; '.join(reasons)}. "
        f"To use it, put {names} into a folder and name it with --data-dir or {DATA_VARIABLE}."
    )


def _load(path: Path, file: MnistFile, files: Sequence[MnistFile]) -> NDArray[np.uint8]:
    try:
        return _check(read_bytes(path, LARGEST_BYTES), path, file, files)
    except FileNotFoundError:
        raise DataError(f"{path} is missing.") from None
    except (DataError, RunError) as error:
        raise DataError(f"{error} Replace it by a fresh copy.") from None


def _check(content: bytes, path: Path, file: MnistFile, files: Sequence[MnistFile]) -> NDArray[np.uint8]:
    """The array in a file's content; unless it is the published one, an error says what is wrong with it."""
    plain = unpack(content, path)
    array = parse_idx(plain, path)
    digest = hashlib.sha256(plain).hexdigest()
    if digest == file.sha256:
        return array
    for other in files:
        if digest == other.sha256:
            raise DataError(f"{path} holds the content of {other.name}: files were swapped or renamed.")
    raise DataError(
        f"{path} is damaged or not MNIST's: it holds an array of {array.shape}, and the SHA-256 of its "
        f"unpacked content is {digest}, not {file.sha256}."
    )


def unpack(content: bytes, path: Path) -> bytes:
    """Decompress a file's content if it is gzip, whatever the file is called; ``path`` is for messages.

    Raises:
        DataError: the compression is damaged or cut off, or there are more than ``LARGEST_BYTES`` inside.
    """
    if not content.startswith(b"\x1f\x8b"):
        return content
    stream = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)  # 16: a gzip header and checksum are demanded
    try:
        plain = stream.decompress(content, LARGEST_BYTES + 1)
    except zlib.error as error:
        raise DataError(f"{path} is damaged: its gzip data do not decompress ({error}).") from error
    if len(plain) > LARGEST_BYTES:
        raise DataError(f"{path} unpacks to more than {LARGEST_BYTES:,} bytes: it is not MNIST.")
    if not stream.eof:
        raise DataError(f"{path} is truncated: its gzip data end too early.")
    if stream.unused_data:
        raise DataError(f"{path} has {len(stream.unused_data):,} bytes after its gzip data.")
    return plain


def parse_idx(content: bytes, path: Path) -> NDArray[np.uint8]:
    """The uint8 array in the unpacked bytes of an IDX file; ``path`` is for messages.

    The format, all integers big-endian: two zero bytes, the type (8 = unsigned byte), the number D of
    dimensions, D sizes of four bytes, then the values, last dimension fastest. MNIST's images have D = 3 and
    its labels D = 1; only these are read. Source: the description by LeCun, Cortes and Burges.

    Raises:
        DataError: another kind of file, or one of another length than its header says.
    """
    if content[:4] not in (b"\0\0\x08\1", b"\0\0\x08\3"):
        raise DataError(
            f"{path} is no IDX file of images or labels: it starts with {content[:4].hex(' ') or 'nothing'}, "
            f"not with 00 00 08 03 (images) or 00 00 08 01 (labels)."
        )
    start = 4 + 4 * content[3]
    shape = tuple(int.from_bytes(content[at : at + 4], "big") for at in range(4, start, 4))
    expected = start + math.prod(shape)
    if len(content) < start or len(content) != expected:
        wrong = "is truncated" if len(content) < max(start, expected) else "has bytes too many"
        sizes = " x ".join(f"{size:,}" for size in shape)
        raise DataError(
            f"{path} {wrong}: {len(content):,} bytes, where its header ({sizes}) asks for {expected:,}."
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy()
