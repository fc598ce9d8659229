"""Every error that a user can meet; the message says what came, what is allowed and what to do.

The command line prints the message on one line and exits with 2.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection


class MnistAdderError(Exception):
    """The base: ``except MnistAdderError`` catches whatever this package raises on purpose."""


class DataError(MnistAdderError):
    """A dataset is missing, damaged or not what it should be."""


class ModelError(MnistAdderError, ValueError):
    """A model, or a setting of its recipe, does not exist or makes no sense."""

    @classmethod
    def unknown(cls, kind: str, name: str, known: Collection[str]) -> ModelError:
        """There is no model, preset or setting of this name; the nearest one and all others are named."""
        near = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        return cls(f"There is no {kind} {name!r}.{hint} There are: {', '.join(known)}.")


class PictureError(MnistAdderError, ValueError):
    """A file or an array is no picture of one digit."""


class UnknownPictureError(PictureError):
    """A file is empty, or of no kind that is read: the HTTP service answers 415."""


class PictureSizeError(PictureError):
    """A file has more bytes or pixels than are decoded: the HTTP service answers 413."""


class NumberError(MnistAdderError, ValueError):
    """A number is not one of 0..9."""


class AddressError(MnistAdderError):
    """The HTTP service cannot listen on an address: it is taken, or not this machine's."""


class DivergedError(MnistAdderError):
    """The loss of a training diverged, or its weights are not finite."""


class RunError(MnistAdderError):
    """A run folder is missing, incomplete, in use or contradicts itself."""


class MissingExtraError(MnistAdderError, ImportError):
    """A library is not installed that an extra of the package brings."""
