"""MNIST's four files, read from a folder, the cache or a mirror; without torch.

The SHA-256 of a file's unpacked content settles whether it is MNIST's; any other is never used.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import math
import os
import tempfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mnist_adder.errors import DataError, RunError
from mnist_adder.safe_io import read_bytes, write_bytes

DATA_VARIABLE = "MNIST_ADDER_DATA"  # environment variable: the folder of the four files
CACHE_VARIABLE = "MNIST_ADDER_CACHE"  # environment variable: a folder in place of the user's cache folder
LARGEST_BYTES = 64 * 2**20  # no more of a file is read or unpacked; MNIST's largest unpacks to 47 MB

_FOLDERS = (".", "raw", "MNIST/raw")  # the last two are torchvision's


@dataclass(frozen=True)
class MnistFile:
    """A published file."""

    name: str  # without .gz
    packed_bytes: int  # size of the .gz on the mirrors
    sha256: str  # of the unpacked content: a file packed anew, or not at all, is still the file


@dataclass(frozen=True)
class Manifest:
    """The files of a dataset, and the mirrors (URLs that end in a slash) that serve them."""

    files: tuple[MnistFile, ...]
    mirrors: tuple[str, ...]


_TRAIN_IMAGES, _TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
_TEST_IMAGES, _TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
_FILES = (
    MnistFile(_TRAIN_IMAGES, 9_912_422, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
    MnistFile(_TRAIN_LABELS, 28_881, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    MnistFile(_TEST_IMAGES, 1_648_877, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
    MnistFile(_TEST_LABELS, 4_542, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
)
_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
MNIST = Manifest(_FILES, _MIRRORS)  # by LeCun, Cortes and Burges


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
    if named := data_dir or os.environ.get(DATA_VARIABLE):
        folder = Path(named)
        return folder, [_load(_find(folder, file.name), file, manifest.files) for file in manifest.files]
    return cache_folder(), _read_cache(cache_folder(), manifest, notify)


def cache_folder() -> Path:
    """The folder of downloaded files: in ``MNIST_ADDER_CACHE``, else in the user's cache folder.

    A user without a home, as containers have them, gets one among the temporary files.
    """
    if cache := os.environ.get(CACHE_VARIABLE):
        try:
            return Path(cache).expanduser() / "mnist"
        except RuntimeError:
            raise DataError(f"{CACHE_VARIABLE} is {cache}: there is no such home. Name a folder.") from None
    import pooch

    with contextlib.suppress(RuntimeError):  # the user has no account
        folder = Path(pooch.os_cache("mnist-adder")).expanduser()
        nearest = next(place for place in (folder, *folder.parents) if os.access(place, os.F_OK))
        if nearest == folder or os.access(nearest, os.W_OK):
            return folder / "mnist"
    return Path(tempfile.gettempdir()) / "mnist-adder" / "mnist"


def _find(folder: Path, name: str) -> Path:
    """A file by its name, or that with a dot (``train-images.idx3-ubyte``), packed or not."""
    stems = (name, name.replace("-idx", ".idx"))
    reason = f"has no {name}.gz, nor {name}"
    try:
        for place, stem, ending in itertools.product(_FOLDERS, stems, (".gz", "")):
            if (path := folder.expanduser() / place / f"{stem}{ending}").exists():
                return path
    except (OSError, RuntimeError) as error:  # RuntimeError: the home of a user who does not exist
        reason = f"cannot be read ({error})"
    raise DataError(f"The folder {folder} {reason}. Name another one by --data-dir or {DATA_VARIABLE}.")


def _read_cache(
    folder: Path, manifest: Manifest, notify: Callable[[str], None] | None
) -> list[NDArray[np.uint8]]:
    arrays = {}
    for file in manifest.files:
        with contextlib.suppress(DataError, FileNotFoundError):  # damaged or missing: to be downloaded
            arrays[file] = _load(folder / f"{file.name}.gz", file, manifest.files)
    if missing := [file for file in manifest.files if file not in arrays]:
        if notify is not None:
            names = ", ".join(f"{file.name}.gz" for file in missing)
            notify(f"Downloading MNIST to {folder}. Missing or damaged there: {names}.")
        arrays |= _download(missing, folder, manifest)
    return [arrays[file] for file in manifest.files]


def _download(
    files: Sequence[MnistFile], folder: Path, manifest: Manifest
) -> dict[MnistFile, NDArray[np.uint8]]:
    """Download files into a folder; where one mirror fails, the next goes on."""
    from mnist_adder.data.download import download  # late: it imports an HTTP client

    arrays: dict[MnistFile, NDArray[np.uint8]] = {}
    reasons = []
    for mirror in manifest.mirrors:
        try:
            for file in files[len(arrays) :]:
                path = folder / f"{file.name}.gz"
                content = download(f"{mirror}{path.name}", file.packed_bytes)
                array = _check(content, Path(path.name), file, manifest.files)
                folder.mkdir(parents=True, exist_ok=True)
                write_bytes(path, content)
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
    except (DataError, RunError) as error:
        raise DataError(f"{error} Replace it by a fresh copy.") from None


def _check(content: bytes, path: Path, file: MnistFile, files: Sequence[MnistFile]) -> NDArray[np.uint8]:
    """The array in a file's content, if that is the published one; ``path`` is for messages."""
    plain = unpack(content, path)
    digest = hashlib.sha256(plain).hexdigest()
    if digest == file.sha256:
        return parse_idx(plain, path)
    for other in files:
        if digest == other.sha256:
            raise DataError(f"{path} holds the content of {other.name}: files were swapped or renamed.")
    raise DataError(f"{path} is damaged or not MNIST's: its content has SHA-256 {digest}, not {file.sha256}.")


def unpack(content: bytes, path: Path) -> bytes:
    """Decompress a file's content if it is gzip, whatever the file is called; ``path`` is for messages."""
    if not content.startswith(b"\x1f\x8b"):
        return content
    stream = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)  # 16: a gzip header and checksum are demanded
    with contextlib.suppress(zlib.error):
        plain = stream.decompress(content, LARGEST_BYTES + 1)
        if stream.eof and not stream.unused_data:
            return plain
    raise DataError(f"{path} is truncated or damaged: its gzip data do not unpack to a file of MNIST.")


def parse_idx(content: bytes, path: Path) -> NDArray[np.uint8]:
    """The uint8 array in the unpacked bytes of an IDX file; ``path`` is for messages.

    The format: two zero bytes, the type (8 = unsigned byte), the number of dimensions (MNIST: 3 for images, 1
    for labels), their sizes as big-endian integers of four bytes, then the values, last dimension fastest.

    Raises:
        DataError: another kind of file, or one of another length than its header says.
    """
    if content[:4] in (b"\0\0\x08\1", b"\0\0\x08\3"):
        start = 4 + 4 * content[3]
        shape = [int.from_bytes(content[at : at + 4], "big") for at in range(4, start, 4)]
        if len(content) == start + math.prod(shape):
            return np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy()
    raise DataError(f"{path} is truncated, or no IDX file of images or labels.")
