"""Whatever holds a picture -> its brightness, as one array of moderate size.

A path, bytes, an open file, a Pillow image or an array comes in; a float32 array (H, W) in [0, 1] goes
out, upright, transparency resolved, its longer side at most :data:`WORKING_SIDE` pixels. Next is
``preprocess``, which finds the ink in it.

What comes in may be hostile. Sizes are checked before pixels are decoded, the work a file can ask for is
bounded, and whatever goes wrong is a :class:`~mnist_adder.errors.PictureError`.
"""

from __future__ import annotations

import importlib
import io
import os
import stat
import threading
import warnings
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mnist_adder.errors import PictureError

Picture: TypeAlias = "str | os.PathLike[str] | bytes | IO[bytes] | Image.Image | NDArray[Any]"
"""What :func:`open_picture` opens."""
Plane: TypeAlias = NDArray[np.float32]
"""One number per pixel, (H, W)."""

MAX_FILE_BYTES = 20_000_000
"""The largest file that is read."""
MAX_PIXELS = 25_000_000
"""The largest picture that is decoded: 100 MB as Pillow holds it, several times that on the way."""
MAX_JPEG_PIXELS = 50_000_000
"""JPEG may be larger, for it is decoded at an eighth of its size; telephones make such photographs."""
MIN_SIDE = 8
"""The smallest height or width in which a digit can be told."""
WORKING_SIDE = 512
"""The longer side is reduced to this or less: a digit needs 20 pixels, and all that follows is quick."""

_MAX_READS = 100_000  # Pillow reads a few times per block of a file: an honest one needs some thousands
_MAX_JPEG_SCANS = 100  # an ordinary progressive JPEG has 10; each one costs a pass over all pixels
_MAX_SCANNED_PIXELS = 250_000_000
_MAX_RUN_LENGTH_PIXELS = 1_000_000  # Pillow decodes run-length coded BMP in Python
_ORIENTATION = 0x0112

_FORMATS = {  # first bytes -> name, plugin: nothing else is tried, nothing else is imported
    b"\x89PNG": ("PNG", "PngImagePlugin.PngImageFile"),
    b"\xff\xd8\xff": ("JPEG", "JpegImagePlugin.JpegImageFile"),
    b"GIF8": ("GIF", "GifImagePlugin.GifImageFile"),
    b"BM": ("BMP", "BmpImagePlugin.BmpImageFile"),
    b"RIFF": ("WebP", "WebPImagePlugin.WebPImageFile"),
    b"II*\0": ("TIFF", "TiffImagePlugin.TiffImageFile"),
    b"MM\0*": ("TIFF", "TiffImagePlugin.TiffImageFile"),
}
_ALLOWED = "PNG, JPEG, GIF, BMP, WebP or TIFF"
_quiet = threading.Lock()  # the warning filters belong to the whole process


def open_picture(picture: Picture) -> Plane:
    """Return the picture's brightness, (H, W) float32 in [0, 1], longer side at most 512 pixels.

    Args:
        picture: a path, the bytes of a file, a binary file, a Pillow image, or an array (H, W) of
            grey values, whole numbers in 0..255 or floats in [0, 1]. Files may be PNG, JPEG, GIF, BMP,
            WebP or TIFF, of at most 20 MB and 25 million pixels (JPEG: 50 million); of several frames
            the first counts.

    Raises:
        PictureError: it cannot be read, is no picture, is damaged, too large or too small.
    """
    if isinstance(picture, Image.Image):
        return _guarded("the image", _from_image, picture)
    if isinstance(picture, str | os.PathLike):
        name, data = f"'{os.fspath(picture)}'", _read_path(picture)
    elif isinstance(picture, bytes | bytearray | memoryview):
        name, data = "the picture", bytes(picture)
    elif hasattr(picture, "read"):
        name, data = "the picture", _read_file(picture, "the picture")
    elif hasattr(picture, "__array__"):
        return _from_array(np.asarray(picture))
    else:
        raise PictureError(
            f"a {type(picture).__name__} is no picture; give a path, bytes, a binary file, "
            "a Pillow image or a 2-D array"
        )
    return _guarded(name, _decode, data)


def _guarded(name: str, opener: Any, source: Any) -> Plane:
    """Turn whatever a hostile picture makes Pillow raise into one clear line."""
    try:
        plane: Plane = opener(source)
    except PictureError as error:
        raise PictureError(f"{name} {error}") from None
    except Exception as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise PictureError(
            f"{name} is damaged, unfinished or of an unusual kind ({reason}); save it again as PNG or JPEG"
        ) from error
    return plane


def _read_path(path: str | os.PathLike[str]) -> bytes:
    name = f"'{os.fspath(path)}'"
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe or a device may never end
            raise PictureError(f"{name} is a folder or a device; give the path of a picture file ({_ALLOWED})")
        with Path(path).open("rb") as file:
            return _read_file(file, name)
    except FileNotFoundError:
        raise PictureError(f"there is no file {name}; check the path of the picture") from None
    except (OSError, ValueError) as error:
        if isinstance(error, PictureError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise PictureError(f"{name} cannot be read ({reason}); check the path and its permissions") from None


def _read_file(file: Any, name: str) -> bytes:
    try:
        data = file.read(MAX_FILE_BYTES + 1)
    except Exception as error:
        raise PictureError(f"{name} cannot be read ({error}); open the file for reading bytes") from error
    if not isinstance(data, bytes):
        raise PictureError(f"{name} gives {type(data).__name__} instead of bytes; open it in binary mode")
    return data


class _Budgeted(io.BytesIO):
    """A file in memory that refuses to be read in millions of tiny steps."""

    reads_left = _MAX_READS

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads_left -= 1
        if self.reads_left < 0:
            raise OSError("too many parts")
        return super().read(size)


def _decode(data: bytes) -> Plane:
    """Decode a file's bytes, checking what its header promises before decoding what it holds."""
    if not data:
        raise PictureError(f"is empty; give a {_ALLOWED} file")
    if len(data) > MAX_FILE_BYTES:
        raise PictureError(f"has more than {MAX_FILE_BYTES // 10**6} MB, the most allowed; save it smaller")
    kind, plugin = next((found for start, found in _FORMATS.items() if data.startswith(start)), ("", ""))
    if not kind:
        raise PictureError(f"is not a picture of a known kind; give a {_ALLOWED} file")
    module, opener = plugin.split(".")
    with _quiet, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is wrong is said by PictureError or not at all
        image = getattr(importlib.import_module(f"PIL.{module}"), opener)(_Budgeted(data))
        _check_size(image.size, _limit(image, kind, data))
        orientation = image.getexif().get(_ORIENTATION, 1)
        if kind == "TIFF":
            orientation = 1  # Pillow turns it itself
        if kind != "JPEG":
            image.load()
    # JPEG decodes outside the lock, for photographs take longest and warn of nothing
    if kind == "JPEG":
        image.draft("RGB" if image.mode == "RGB" else None, (WORKING_SIDE, WORKING_SIDE))
    return _turn(_brightness(image), orientation)


def _limit(image: Image.Image, kind: str, data: bytes) -> int:
    """The most pixels this file may have, given what decoding one of them can cost."""
    if kind == "BMP" and image.info.get("compression") in (1, 2):
        return _MAX_RUN_LENGTH_PIXELS
    if kind != "JPEG":
        return MAX_PIXELS
    scans = max(1, data.count(b"\xff\xda"))
    if scans > _MAX_JPEG_SCANS:
        raise PictureError(f"is a JPEG of {scans} scans, {_MAX_JPEG_SCANS} are allowed; save it again")
    return min(MAX_JPEG_PIXELS, _MAX_SCANNED_PIXELS // scans)


def _check_size(size: tuple[int, int], most: int) -> None:
    """Refuse pictures too small to show a digit or too large to decode; ``size`` is (width, height)."""
    width, height = size
    if min(width, height) < MIN_SIDE:
        raise PictureError(f"is {width} x {height} pixels; at least {MIN_SIDE} x {MIN_SIDE} are needed")
    if width * height > most:
        raise PictureError(f"is {width} x {height} pixels; at most {most:,} are allowed: scale it down")


def _from_image(image: Image.Image) -> Plane:
    """Take a Pillow image, whose pixels may not be decoded yet, and leave it as it is."""
    _check_size(image.size, MAX_JPEG_PIXELS)
    with _quiet, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image.load()
        orientation = image.getexif().get(_ORIENTATION, 1)
    return _turn(_brightness(image), orientation)


def _from_array(array: NDArray[Any]) -> Plane:
    """Take grey values (H, W): whole numbers in 0..255, or floats in [0, 1]."""
    if array.ndim != 2:
        raise PictureError(f"an array of shape {array.shape} is no picture; give grey values, (height, width)")
    if array.dtype.kind not in "buif":
        raise PictureError(f"an array of {array.dtype} is no picture; give whole numbers or floats")
    most = 1 if array.dtype.kind in "bf" else 255
    if array.size and not (array.min() >= 0 and array.max() <= most):  # NaN fails as well
        raise PictureError(
            f"the array's values run from {array.min()} to {array.max()}; "
            "allowed are whole numbers in 0..255 or finite floats in [0, 1]"
        )
    try:
        _check_size((array.shape[1], array.shape[0]), MAX_JPEG_PIXELS)
    except PictureError as error:
        raise PictureError(f"the array {error}") from None
    return _shrink(Image.fromarray(array.astype(np.float32) / np.float32(most)))


def _shrink(image: Image.Image) -> NDArray[np.float32]:
    """Average blocks of pixels until the longer side is at most 512: (H, W) or (H, W, channels)."""
    factor = -(-max(image.size) // WORKING_SIDE)
    return np.asarray(image.reduce(factor) if factor > 1 else image, dtype=np.float32)


def _brightness(image: Image.Image) -> Plane:
    """Any mode -> (H, W) in [0, 1]."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _deep(np.asarray(image))
    if image.has_transparency_data:
        colours = _shrink(image.convert("RGBA")) / np.float32(255)
        return _without_alpha(colours[..., :3], colours[..., 3])
    if image.mode in ("1", "L"):
        return _shrink(image.convert("L")) / np.float32(255)
    if image.mode == "LAB":
        return _shrink(image.getchannel(0)) / np.float32(255)
    return _grey(_shrink(image.convert("RGB")) / np.float32(255))


def _deep(values: NDArray[Any]) -> Plane:
    """Pixels of more than 8 bits -> [0, 1]; the file does not say where white is, so guess it."""
    plane = _shrink(Image.fromarray(values.astype(np.float32)))
    if not np.isfinite(plane).all():
        raise PictureError("holds pixels that are no finite numbers; save it again as 8 or 16 bit")
    low, high = min(0.0, float(plane.min())), float(plane.max())
    white = next((most for most in (1.0, 255.0, 65535.0) if high <= most and low == 0), high - low)
    return (plane - np.float32(low)) / np.float32(white)


def _grey(colours: NDArray[np.float32]) -> Plane:
    """Colours (H, W, 3) -> their luminance, or the one channel that shows the ink far better."""
    luminance = colours @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    candidates = [luminance, *np.moveaxis(colours, 2, 0)]
    spreads = [float(np.ptp(np.quantile(plane, (0.002, 0.998)))) for plane in candidates]
    best = int(np.argmax(spreads))
    return candidates[best if spreads[best] > 2 * spreads[0] else 0]  # yellow ink shows in blue alone


def _without_alpha(colours: NDArray[np.float32], alpha: Plane) -> Plane:
    """Colours (H, W, 3) and opacity (H, W) -> brightness, wherever the ink lives.

    What is visible is either a page with something on it, which is laid on its own colour, or ink of
    one colour on nothing, whose opacity is then the picture.
    """
    seen = alpha > 0.5
    if seen.all():
        return _grey(colours)
    if not seen.any():
        return alpha
    rows, columns = np.nonzero(seen)
    box = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
    page = np.median(colours[seen], axis=0).astype(np.float32)
    laid = _grey(page + (colours - page) * alpha[..., None])
    is_page = rows.size > 0.7 * box and float(np.ptp(laid)) > 0.15
    return laid if is_page else alpha


def _turn(plane: Plane, orientation: Any) -> Plane:
    """Undo the way the camera was held: EXIF orientations 2..8; anything else is upright."""
    if orientation in (5, 6, 7, 8):
        plane = plane.T
    if orientation in (3, 4, 7, 8):
        plane = plane[::-1]
    if orientation in (2, 3, 6, 7):
        plane = plane[:, ::-1]
    return np.ascontiguousarray(plane)
