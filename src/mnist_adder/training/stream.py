"""Training images while they are being unpacked, and random batches of those that are there.

The bytes of MNIST's files come in, or tensors of all the images; batches of windows of pixels go out. Next:
fast.
"""

from __future__ import annotations

import itertools
import queue
import threading
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mnist_adder.data.mnist import parse_idx
from mnist_adder.errors import DataError
from mnist_adder.models.layers import MEAN, STD
from mnist_adder.types import DIGITS

IMAGES, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"
_PIECE = 2**20  # bytes of the compressed file that are unpacked at once: some 6,000 images
_HEADER, _PIXELS = 16, 28 * 28
_BORDER = 2  # pixels left out on each side


class Images:
    """Training images with their digits, all of them there.

    Args:
        pixels: (N, 28, 28) uint8.
        digits: (N,) int64, 0..9.
    """

    def __init__(self, pixels: Tensor, digits: Tensor) -> None:
        self.pixels, self.digits = pixels, digits
        self.ready = len(digits)  # how many of the images there are already, the first ones

    def wait(self) -> None:
        """Wait until there are more, if there will be."""


class UnpackedImages(Images):
    """Training images that are being unpacked from MNIST's files, on a thread: zlib lets go of Python's lock.

    Args:
        files: the bytes of the gzipped files by their published names; those of the training part are read.

    Raises:
        DataError: here or in :meth:`wait`: a file is missing, damaged, or not what its name says.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        if missing := {IMAGES, LABELS} - files.keys():
            raise DataError(f"{' and '.join(sorted(missing))} is missing among the files to train on.")
        try:
            labels = parse_idx(zlib.decompress(files[LABELS], wbits=31), Path(LABELS))
        except zlib.error as error:
            raise DataError(f"{LABELS} is damaged: its gzip data do not decompress ({error}).") from error
        if labels.ndim != 1 or (len(labels) and labels.max() >= DIGITS):
            raise DataError(
                f"{LABELS} holds no digits: an array of {labels.shape}, values 0..{labels.max()}."
            )
        self._buffer = np.empty(_HEADER + _PIXELS * len(labels), np.uint8)  # not filled, unlike a bytearray
        self._arrived: queue.SimpleQueue[int | Exception] = queue.SimpleQueue()
        pixels = torch.from_numpy(self._buffer[_HEADER:].reshape(-1, 28, 28))
        super().__init__(pixels, torch.from_numpy(labels).long())
        self.ready = 0
        threading.Thread(target=self._work, args=(files[IMAGES],), daemon=True).start()

    def wait(self) -> None:
        """Wait for another piece."""
        arrived = self._arrived.get()
        if isinstance(arrived, Exception):
            raise arrived
        self.ready = arrived

    def _work(self, packed: bytes) -> None:
        try:
            self._unpack(packed)
        except zlib.error as error:
            self._arrived.put(DataError(f"{IMAGES} is damaged: its gzip data do not decompress ({error})."))
        except Exception as error:  # whatever it is: someone waits
            self._arrived.put(error)

    def _unpack(self, packed: bytes) -> None:
        stream = zlib.decompressobj(wbits=31)
        view, filled, size = self._buffer.data, 0, len(self._buffer)
        expected = b"".join(number.to_bytes(4, "big") for number in (0x803, len(self.digits), 28, 28))
        for start in range(0, len(packed), _PIECE):
            part = stream.decompress(packed[start : start + _PIECE])
            if filled == 0 and part[:_HEADER] != expected:
                raise DataError(f"{IMAGES} is not that: it starts with {part[:_HEADER].hex(' ')}.")
            if filled + len(part) > size:
                raise DataError(f"{IMAGES} has bytes too many: more than {size:,}.")
            view[filled : filled + len(part)] = part
            filled += len(part)
            if filled < size:
                self._arrived.put((filled - _HEADER) // _PIXELS)
        if filled < size or not stream.eof:  # eof: the checksum was right as well
            raise DataError(f"{IMAGES} is truncated: {filled:,} of {size:,} bytes.")
        self._arrived.put(len(self.digits))


def batches(
    images: Images, kept: Tensor | None, size: int, seed: int, precision: torch.dtype
) -> Iterator[tuple[Tensor, Tensor]]:
    """DeviceLoader of ``size`` images, each image once: see :func:`as_windows`, and digits (B,).

    Each batch is drawn at random from what is there and was not yet given. (Going through the file in its
    own order cost 0.1 points.) A piece is asked for in every second step, not when it happens to arrive, so
    that a seed always gives the same batches.
    """
    total = len(images.digits)
    order = torch.Generator().manual_seed(seed)
    left = torch.empty(0, dtype=torch.int64)
    seen = 0
    for step in itertools.count():
        while seen < total and (step % 2 == 0 or len(left) < size):
            if images.ready == seen:
                images.wait()
            new = torch.arange(seen, images.ready)
            if kept is not None:
                new = kept[(kept >= seen) & (kept < images.ready)]
            seen, left = images.ready, torch.cat([left, new])
            left = left[torch.randperm(len(left), generator=order)]
            if len(left) >= size:
                break
        if len(left) < size:
            return
        rows, left = left[:size], left[size:]
        yield as_windows(images.pixels.index_select(0, rows), precision), images.digits.index_select(0, rows)


def as_windows(images: Tensor, precision: torch.dtype) -> Tensor:
    """Normalised windows of 8x8 pixels, four apart, over the inner 24x24 of (B, 28, 28) uint8: (25 B, 64).

    A window is what an output of the first convolution, pooled, sees. Pixels move in pairs, as int16.
    """
    pairs = images.view(torch.int16)  # (B, 28, 14)
    shape, strides = (len(images), 5, 5, 8, 4), (14 * 28, 4 * 14, 2, 14, 1)
    windows = pairs.as_strided(shape, strides, _BORDER * 14 + _BORDER // 2).contiguous()
    pixels = windows.view(torch.uint8).view(-1, 64).to(precision)
    return torch.add(torch.tensor(-MEAN / STD), pixels, alpha=1 / (255 * STD), out=pixels)
