"""Training images while they are being unpacked, and random batches of those that are there.

Unpacking MNIST's training images takes a core 0.3 seconds, a fifth of the whole training. So training begins
with the first 6,000 images, while a thread unpacks the rest.
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
_CHUNK = 2**20  # bytes of the compressed file that are unpacked at once: some 6,000 images
_HEADER, _PIXELS = 16, 28 * 28
_BORDER = 2  # pixels left out on each side


class TrainingImages:
    """Training images with their digits, all in memory.

    Args:
        pixels: (N, 28, 28) uint8.
        digits: (N,) int64, 0..9.
    """

    def __init__(self, pixels: Tensor, digits: Tensor) -> None:
        self.pixels, self.digits = pixels, digits
        self.available = len(digits)  # so many images, the first ones, can be read already

    def wait(self) -> None:
        """Wait until more images are available, if some are still to come."""


class StreamedImages(TrainingImages):
    """Training images that a thread unpacks from MNIST's files meanwhile: zlib releases the GIL.

    Args:
        files: the bytes of the gzipped files by their published names; the two of the training set are read.

    Raises:
        DataError: here or in :meth:`wait`: a file is missing, damaged, or not what its name says.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        if missing := {IMAGES, LABELS} - files.keys():
            raise DataError(f"{' and '.join(sorted(missing))} is missing among the files to train on.")
        labels = _unpack_labels(files[LABELS])
        self._buffer = np.empty(_HEADER + _PIXELS * len(labels), np.uint8)  # not filled, unlike a bytearray
        self._progress: queue.SimpleQueue[int | Exception] = queue.SimpleQueue()
        pixels = torch.from_numpy(self._buffer[_HEADER:].reshape(-1, 28, 28))
        super().__init__(pixels, torch.from_numpy(labels).long())
        self.available = 0
        threading.Thread(target=self._unpack, args=(files[IMAGES],), daemon=True).start()

    def wait(self) -> None:
        """Wait for the next chunk of images."""
        progress = self._progress.get()
        if isinstance(progress, Exception):
            raise progress
        self.available = progress

    def _unpack(self, packed: bytes) -> None:
        try:
            for available in self._unpack_chunks(packed):
                self._progress.put(available)
        except zlib.error as error:
            self._progress.put(_damaged(IMAGES, error))
        except Exception as error:  # any other: wait() must not wait for ever
            self._progress.put(error)

    def _unpack_chunks(self, packed: bytes) -> Iterator[int]:
        """Fill the buffer; after each chunk say how many images there are. The last one is checked first."""
        stream = zlib.decompressobj(wbits=31)
        buffer, filled, size = self._buffer.data, 0, len(self._buffer)
        header = b"".join(number.to_bytes(4, "big") for number in (0x803, len(self.digits), 28, 28))
        for start in range(0, len(packed), _CHUNK):
            chunk = stream.decompress(packed[start : start + _CHUNK])
            if filled == 0 and chunk[:_HEADER] != header:
                raise DataError(
                    f"{IMAGES} does not hold {len(self.digits):,} images of 28 x 28: it starts with "
                    f"{chunk[:_HEADER].hex(' ')}, not with {header.hex(' ')}."
                )
            if filled + len(chunk) > size:
                raise DataError(f"{IMAGES} has bytes too many: more than {size:,}.")
            buffer[filled : filled + len(chunk)] = chunk
            filled += len(chunk)
            if filled < size:
                yield (filled - _HEADER) // _PIXELS
        if filled < size or not stream.eof:  # at its end zlib has compared the checksum as well
            raise DataError(f"{IMAGES} is truncated: {filled:,} of {size:,} bytes.")
        yield len(self.digits)


def _unpack_labels(packed: bytes) -> np.ndarray:
    try:
        labels = parse_idx(zlib.decompress(packed, wbits=31), Path(LABELS))
    except zlib.error as error:
        raise _damaged(LABELS, error) from error
    if labels.ndim != 1 or (labels >= DIGITS).any():
        raise DataError(
            f"{LABELS} does not hold digits: an array of shape {labels.shape} with values up to "
            f"{labels.max(initial=0)}, where a list of labels from 0 to 9 is needed."
        )
    return labels


def _damaged(name: str, error: zlib.error) -> DataError:
    return DataError(f"{name} is damaged: its gzip data do not decompress ({error}).")


def draw_batches(
    images: TrainingImages, indices: Tensor | None, size: int, seed: int, dtype: torch.dtype
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of ``size`` images, each image once: patches, see :func:`extract_patches`, and digits (B,).

    Each batch is drawn at random from the images that are available and were not drawn yet. (Going through
    the file in its own order cost 0.1 points.) New images are asked for in every second step, not when they
    happen to arrive, so that a seed always gives the same batches.
    """
    total = len(images.digits)
    generator = torch.Generator().manual_seed(seed)
    remaining = torch.empty(0, dtype=torch.int64)
    seen = 0
    for step in itertools.count():
        while seen < total and (step % 2 == 0 or len(remaining) < size):
            if images.available == seen:
                images.wait()
            new = torch.arange(seen, images.available)
            if indices is not None:
                new = indices[(indices >= seen) & (indices < images.available)]
            seen, remaining = images.available, torch.cat([remaining, new])
            remaining = remaining[torch.randperm(len(remaining), generator=generator)]
            if len(remaining) >= size:
                break
        if len(remaining) < size:
            return
        batch, remaining = remaining[:size], remaining[size:]
        patches = extract_patches(images.pixels.index_select(0, batch), dtype)
        yield patches, images.digits.index_select(0, batch)


def extract_patches(images: Tensor, dtype: torch.dtype) -> Tensor:
    """Normalised patches of 8x8 pixels, four apart, of the inner 24x24 of (B, 28, 28) uint8: (25 B, 64).

    A patch is what one output of the first convolution, once pooled, depends on. Pixels are copied in pairs,
    as int16, which halves the copying.
    """
    pairs = images.view(torch.int16)  # (B, 28, 14)
    shape, strides = (len(images), 5, 5, 8, 4), (14 * 28, 4 * 14, 2, 14, 1)
    patches = pairs.as_strided(shape, strides, _BORDER * 14 + _BORDER // 2).contiguous()
    pixels = patches.view(torch.uint8).view(-1, 64).to(dtype)
    return torch.add(torch.tensor(-MEAN / STD), pixels, alpha=1 / (255 * STD), out=pixels)
