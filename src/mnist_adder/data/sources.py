"""Where the images come from: a folder, the cache, a download, or the digits bundled with scikit-learn.

In: which dataset, and perhaps a folder. Out: a :class:`DigitImages` whose every byte is known. Next: pairs.

What counts as MNIST is settled by the SHA-256 of the unpacked content: a file that is truncated, damaged,
swapped with another or from a different dataset is named in an error and never used.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mnist_adder.data.idx import parse_idx, unpack
from mnist_adder.data.images import DigitImages, images_from_arrays
from mnist_adder.data.manifest import MNIST, Manifest, ManifestFile
from mnist_adder.data.sklearn_digits import load_sklearn_digits
from mnist_adder.errors import DataError
from mnist_adder.types import DIGITS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DATA_VARIABLE = "MNIST_ADDER_DATA"
"""Environment variable: the folder of the four MNIST files."""

DatasetName = Literal["auto", "mnist", "digits"]


def load_images(
    dataset: DatasetName = "auto",
    data_dir: Path | str | None = None,
    notify: Callable[[str], None] | None = None,
    *,
    release: Manifest = MNIST,
) -> DigitImages:
    """Load a dataset from the first place that has it.

    MNIST comes from ``data_dir``, else from the folder that the environment variable ``MNIST_ADDER_DATA``
    names, else from the cache, else from a public mirror (into the cache, 11 MB, once). A folder that was
    named must be right: it is never passed over. Only where none was named, and MNIST is neither cached
    nor to be downloaded, does ``"auto"`` go on with the digits bundled with scikit-learn, and says so.

    Args:
        dataset: ``"mnist"`` or nothing, ``"digits"`` (the bundled ones), or ``"auto"``.
        data_dir: folder of the four MNIST files under their published names, with or without ``.gz``.
        notify: takes sentences for the user. Without it the fallback is a ``UserWarning``.
        release: which files count as MNIST, and the mirrors that serve them.

    Raises:
        DataError: a named folder or a file in it is missing or wrong, or MNIST cannot be had at all; also
            for a dataset that does not exist, and for ``"digits"`` together with a folder.
    """
    if dataset not in ("auto", "mnist", "digits"):
        raise DataError(f"There is no dataset {dataset!r}: choose auto, mnist or digits.")
    if dataset == "digits":
        if data_dir is not None:
            raise DataError(f"The dataset digits needs no folder, {data_dir} was given: drop one of the two.")
        return load_sklearn_digits()
    if data_dir is not None:
        return _read_folder(_at_home(data_dir), release)
    if named := os.environ.get(DATA_VARIABLE):
        return _read_folder(_at_home(named), release, f" (named by {DATA_VARIABLE})")
    try:
        return _read_folder(_fill_cache(release, notify), release)
    except DataError as error:
        if dataset == "mnist":
            raise
        _fall_back(error, notify)
        return load_sklearn_digits()


def _at_home(folder: Path | str) -> Path:
    try:
        return Path(folder).expanduser()
    except RuntimeError:  # ~somebody
        raise DataError(f"There is no folder {folder}: whose home is that? Write it out.") from None


def _fall_back(error: DataError, notify: Callable[[str], None] | None) -> None:
    message = f"{error} Going on WITHOUT MNIST, with the small handwritten digits bundled with scikit-learn."
    if notify is None:
        warnings.warn(message, stacklevel=3)
    else:
        notify(message)


def _fill_cache(release: Manifest, notify: Callable[[str], None] | None) -> Path:
    """Make the cache whole: what is missing from it, or not as published, is downloaded."""
    from mnist_adder.data.download import cache_folder, fetch  # late: it brings an HTTP client along

    folder = cache_folder()
    wanted = []
    for file in release.files:
        path = folder / f"{file.name}.gz"
        published = _is_published(path, file)
        if not published:
            wanted.append(file)
        if published is False and notify is not None:
            notify(f"{path} is damaged and will be downloaded again.")
    if wanted:
        size = sum(file.packed_bytes for file in wanted) / 1e6
        if notify is not None:
            notify(f"Downloading MNIST ({len(wanted)} of 4 files, {size:.1f} MB) to {folder}.")
        try:
            fetch(wanted, folder, release.mirrors)
        except DataError as error:
            names = ", ".join(f"{file.name}.gz" for file in release.files)
            raise DataError(
                f"MNIST is not in the cache, {folder}, and cannot be downloaded: {error}. To use it, put "
                f"{names} into a folder and name it with --data-dir or {DATA_VARIABLE}."
            ) from error
    return folder


def _is_published(path: Path, file: ManifestFile) -> bool | None:
    """Whether a packed file is the published one; None where there is none to be read."""
    try:
        if path.stat().st_size != file.packed_bytes:
            return False
        return hashlib.sha256(path.read_bytes()).hexdigest() == file.packed_sha256
    except OSError:
        return None


def _read_folder(folder: Path, release: Manifest, named: str = "") -> DigitImages:
    """Read the four files of a folder, each of which must hold the published content."""
    try:
        paths = _locate(folder, release, named)
    except OSError as error:
        raise DataError(f"The folder {folder}{named} cannot be read: {error.strerror}.") from error
    train_images, train_digits, test_images, test_digits = (
        _read_file(path, file, release) for path, file in zip(paths, release.files, strict=True)
    )
    return images_from_arrays(
        "mnist", f"MNIST, from {folder}", (train_images, train_digits), (test_images, test_digits)
    )


def _locate(folder: Path, release: Manifest, named: str) -> list[Path]:
    """The paths of the four files, each packed or not."""
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}{named}. Name the one that holds the four MNIST files.")
    paths = []
    for file in release.files:
        path = next((p for p in (folder / f"{file.name}.gz", folder / file.name) if p.exists()), None)
        if path is None:
            raise DataError(
                f"The folder {folder}{named} has no {file.name}.gz, nor {file.name}. "
                "It must hold all four MNIST files."
            )
        paths.append(path)
    return paths


def _read_file(path: Path, file: ManifestFile, release: Manifest) -> NDArray[np.uint8]:
    """Read one file; unless its content is the published one, say what is wrong with it."""
    content = unpack(path)
    array = parse_idx(content, path)
    digest = hashlib.sha256(content).hexdigest()
    if digest != file.sha256:
        raise DataError(f"{path} {_difference(array, digest, file, release)}. Replace it by a fresh copy.")
    return array


def _difference(array: NDArray[np.uint8], digest: str, file: ManifestFile, release: Manifest) -> str:
    """How a well-formed file differs from the published one, to go on from its name."""
    for other in release.files:
        if digest == other.sha256:
            return f"holds the content of {other.name}: files were swapped or renamed"
    if array.shape != file.shape:
        return f"holds an array of {array.shape}, where MNIST has one of {file.shape}"
    if array.ndim == 1 and array.max() >= DIGITS:
        return f"is damaged: it holds the label {array.max()}, and labels are 0 to {DIGITS - 1}"
    return f"is damaged or not MNIST's: the SHA-256 of its unpacked content is {digest}, not {file.sha256}"
