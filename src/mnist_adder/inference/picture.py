"""Reads whatever holds a picture: its brightness, upright, transparency resolved, in moderate size.

What comes in may be hostile: sizes are checked before anything is decoded, the work that a file can ask for
is bounded, and whatever goes wrong is a :class:`~mnist_adder.errors.PictureError`.
"""

from __future__ import annotations

import io
import os
import stat
import threading
import warnings
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from mnist_adder.errors import PictureError, PictureSizeError, UnknownPictureError

if TYPE_CHECKING:
    from torch import Tensor

Picture: TypeAlias = "str | os.PathLike[str] | bytes | IO[bytes] | Image.Image | NDArray[Any] | Tensor"
Plane: TypeAlias = NDArray[np.float32]  # (H, W), one number per pixel

MAX_FILE_BYTES = 20_000_000
"""The largest file that is read."""
MAX_PIXELS = {"PNG": 25e6, "JPEG": 50e6, "GIF": 25e6, "BMP": 25e6, "WEBP": 16e6, "TIFF": 25e6}
"""The largest pictures that are decoded, in at most 300 MB and a second. JPEG can be decoded at an eighth of
its size, and telephones take photographs of 50 megapixels; WebP's decoder keeps four copies."""
MIN_SIDE = 8
"""The smallest height or width in which a digit can be recognised; a 1 cut to its ink is narrower."""
WORKING_SIDE = 512
"""The longer side is reduced to at most this, which makes all that follows fast: a digit needs 20 pixels."""

_MAX_READS = 100_000  # Pillow reads a few times per block of a file: ordinary files need some thousands
_MAX_SCANNED_PIXELS = 250e6  # each scan of a progressive JPEG, commonly 10, is a pass over all its pixels
_MAX_RUN_LENGTH_PIXELS = 1e6  # Pillow decodes run-length coded BMP in Python
_MAX_GIVEN_PIXELS = 50e6  # of images and arrays, which are in memory already

_FORMATS = {  # by a file's first bytes: Pillow tries no other
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"RIFF": "WEBP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
}
_ALLOWED = "PNG, JPEG, GIF, BMP, WebP or TIFF"
_quiet = threading.Lock()  # the warning filters belong to the whole process


def open_picture(picture: Picture) -> Plane:
    """Return the picture's brightness, (H, W) float32 in [0, 1], longer side at most 512 pixels.

    Args:
        picture: a path, the bytes of a file, a binary file, a Pillow image, or an array or tensor of whole
            numbers in 0..255 or floats in [0, 1]: grey (H, W), (1, H, W) or (H, W, 1), colour (H, W, 3).
            Files may be PNG, JPEG, GIF, BMP, WebP or TIFF, of at most 20 MB and :data:`MAX_PIXELS`; the
            first frame counts.

    Raises:
        PictureError: it cannot be read, is damaged, or too small to show a digit.
        UnknownPictureError: it is no picture of a kind that is read.
        PictureSizeError: it has more bytes or pixels than are allowed.
    """
    name = repr(os.fspath(picture)) if isinstance(picture, str | os.PathLike) else "the picture"
    try:
        if isinstance(picture, Image.Image):
            return _from_image(picture)
        if hasattr(picture, "requires_grad"):  # a tensor, on any device
            tensor: Any = picture
            return _from_array(tensor.detach().cpu().numpy())
        if hasattr(picture, "__array__"):
            return _from_array(np.asarray(picture))
        return _decode(_read(picture))
    except PictureError as error:
        raise type(error)(f"{name} {error}") from None
    except Exception as error:  # whatever a hostile file makes Pillow raise
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise PictureError(
            f"{name} is damaged, unfinished or of an unusual kind ({reason}); save it again as PNG or JPEG"
        ) from error


def _read(picture: Any) -> bytes:
    """The bytes of a file, at most one more than is allowed."""
    if isinstance(picture, bytes | bytearray | memoryview):
        return bytes(picture)
    if not isinstance(picture, str | os.PathLike) and not hasattr(picture, "read"):
        raise PictureError(f"is a {type(picture).__name__}; give a path, bytes, a file, an image or an array")
    try:
        if hasattr(picture, "read"):
            data = picture.read(MAX_FILE_BYTES + 1)
        elif not stat.S_ISREG(Path(picture).stat().st_mode):  # a pipe or a device may never end
            raise IsADirectoryError(f"it is a folder or a device, not a {_ALLOWED} file")
        else:
            with Path(picture).open("rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise PictureError("does not exist; check the path") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise PictureError(f"cannot be read ({reason}); check path and permissions") from None
    if not isinstance(data, bytes):
        raise PictureError(f"gives {type(data).__name__} instead of bytes; open it in binary mode")
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
    """Decode a file's bytes, after checking the size that its header gives."""
    if not data:
        raise UnknownPictureError(f"is empty; give a {_ALLOWED} file")
    if len(data) > MAX_FILE_BYTES:
        most = f"{MAX_FILE_BYTES // 10**6} MB"
        raise PictureSizeError(f"has more than {most}, the most allowed; save it smaller")
    kind = next((kind for start, kind in _FORMATS.items() if data.startswith(start)), None)
    if data[4:8] == b"ftyp":  # what telephones write
        raise UnknownPictureError("is HEIC, AVIF or a film, which are not read; export it as JPEG or PNG")
    if kind is None:
        raise UnknownPictureError(f"is not a picture of a known kind; give a {_ALLOWED} file")
    with _quiet, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PictureError says what is wrong
        try:
            image: Image.Image = Image.open(_Budgeted(data), formats=[kind])
        except UnidentifiedImageError:
            raise PictureError(
                f"starts as {kind} does, but is damaged; save it again as PNG or JPEG"
            ) from None
        except Image.DecompressionBombError:  # beyond what Pillow opens, and so far beyond our own limits
            raise PictureSizeError(
                f"has too many pixels; at most {MAX_PIXELS[kind]:,.0f} are allowed"
            ) from None
        _check_size(image.size, _limit(image, kind, data))
        if kind == "JPEG":  # decoded below, outside the lock: photographs take longest and raise no warnings
            image.draft(None, (WORKING_SIDE, WORKING_SIDE))
        else:
            image.load()
        # Loading has rotated TIFF already; where info is empty there is no EXIF to read.
        if image.info or kind == "TIFF":
            ImageOps.exif_transpose(image, in_place=True)
    return _brightness(image)


def _limit(image: Image.Image, kind: str, data: bytes) -> float:
    """The most pixels this file may have, by what it costs to decode one."""
    if kind == "JPEG":
        return min(MAX_PIXELS[kind], _MAX_SCANNED_PIXELS / max(1, data.count(b"\xff\xda")))
    run_length = kind == "BMP" and image.info.get("compression") in (1, 2)
    return _MAX_RUN_LENGTH_PIXELS if run_length else MAX_PIXELS[kind]


def _check_size(size: tuple[int, int], most: float) -> None:
    """Refuse pictures too small to show a digit or too large to decode; ``size`` is (width, height)."""
    width, height = size
    narrow = min(width, height) >= 3 and max(width, height) <= 7 * min(width, height)
    if max(width, height) < MIN_SIDE or (min(width, height) < MIN_SIDE and not narrow):
        raise PictureError(f"is {width} x {height} pixels; at least {MIN_SIDE} x {MIN_SIDE} are needed")
    if width * height > most:
        raise PictureSizeError(
            f"is {width} x {height} pixels; at most {most:,.0f} are allowed: scale it down"
        )


def _from_image(image: Image.Image) -> Plane:
    """Take a Pillow image, whose pixels may not be decoded yet, without changing it."""
    _check_size(image.size, _MAX_GIVEN_PIXELS)
    with _quiet, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image.load()
        image = ImageOps.exif_transpose(image)
    return _brightness(image)


def _from_array(array: NDArray[Any]) -> Plane:
    """Take grey values (H, W), (1, H, W), (H, W, 1) or colours (H, W, 3), of the range that is allowed."""
    if array.ndim == 3 and 1 in (array.shape[0], array.shape[2]):
        array = array.reshape([side for side in array.shape if side != 1])
    if array.dtype.kind not in "buif" or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)):
        raise PictureError(
            f"is an array of {array.dtype}, shape {array.shape}; give grey values (height, width) or colours "
            "(height, width, 3), whole numbers in 0..255 or floats in [0, 1]"
        )
    _check_size((array.shape[1], array.shape[0]), _MAX_GIVEN_PIXELS)
    most = 1 if array.dtype.kind in "bf" else 255
    low, high = array.min(), array.max()
    if not (low >= 0 and high <= most):  # NaN fails as well
        raise PictureError(
            f"is an array of values {low}..{high}; give whole numbers in 0..255 or finite floats in [0, 1]"
        )
    plane = array.astype(np.float32) / np.float32(most)
    if plane.ndim == 3:
        return _brightness(Image.fromarray((255 * plane).round().astype(np.uint8)))
    return _shrink(Image.fromarray(plane)) if max(plane.shape) > WORKING_SIDE else plane


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
        return _shrink(image if image.mode == "L" else image.convert("L")) / np.float32(255)
    return _grey(_shrink(image.convert("RGB")) / np.float32(255))


def _deep(values: NDArray[Any]) -> Plane:
    """Pixels of more than 8 bits -> [0, 1]; the file does not say which value is white, so guess it."""
    plane = _shrink(Image.fromarray(values.astype(np.float32))).astype(
        np.float64
    )  # so that differences do not overflow
    if not np.isfinite(plane).all():
        raise PictureError("has pixels that are not finite numbers; save it again as 8 or 16 bit")
    low, high = min(0.0, float(plane.min())), float(plane.max())
    white = next((most for most in (1.0, 255.0, 65535.0) if high <= most and low == 0), high - low)
    return np.asarray((plane - low) / white, dtype=np.float32)


def _grey(colours: NDArray[np.float32]) -> Plane:
    """Colours (H, W, 3) -> their luminance, or a single channel that shows the ink far better."""
    luminance = colours @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    candidates: list[Plane] = [luminance, *np.moveaxis(colours, 2, 0)]
    spreads = [float(np.ptp(np.quantile(plane, (0.002, 0.998)))) for plane in candidates]
    best = int(np.argmax(spreads))  # yellow ink shows in blue alone
    return candidates[best if spreads[best] > 2 * spreads[0] else 0]


def _without_alpha(colours: NDArray[np.float32], alpha: Plane) -> Plane:
    """Colours (H, W, 3), opacity (H, W) -> an opaque page on its own colour, or else the opacity."""
    seen = alpha > 0.5
    if seen.all():
        return _grey(colours)
    if not seen.any():
        return alpha
    rows, columns = np.nonzero(seen)
    page = np.median(colours[seen], axis=0).astype(np.float32)
    laid = _grey(page + (colours - page) * alpha[..., None])
    filled = rows.size / ((np.ptp(rows) + 1) * (np.ptp(columns) + 1))
    return laid if filled > 0.7 and np.ptp(laid) > 0.15 else alpha
