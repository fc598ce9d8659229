"""The dataset of the task: images paired with numbers, and the answers to them."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.utils.data import Dataset

from mnist_adder.data import rng
from mnist_adder.data.images import DatasetName, DigitImages, SplitName, load_images
from mnist_adder.errors import DataError
from mnist_adder.types import NUMBERS, Batch

Item = tuple[tuple[Tensor, int], tuple[int, int]]  # ((image, number), (digit, sum))


class MNISTAdder(Dataset[Item]):
    """Pairs of an image and a number from 0 to 9, with the digit and the sum they ask for.

    It works with any loader; images are (1, 28, 28) float32 in [0, 1]::

        train = MNISTAdder(split="train")
        for epoch in range(3):
            train.set_epoch(epoch)  # new numbers
            for (images, numbers), (digits, sums) in DataLoader(train, batch_size=64, shuffle=True):
                ...

    All images are one uint8 tensor, so :meth:`batch`, one index operation, is far quicker than a loader;
    :class:`~mnist_adder.data.loader.DeviceLoader` goes through an epoch that way.

    Args:
        root: folder of the four MNIST files; without it see :func:`~mnist_adder.data.images.load_images`.
        split: ``"train"`` (55,000 images of MNIST), ``"validation"`` (5,000, as many of each digit, always
            the same), ``"all"`` (those two, in their published order) or ``"test"`` (10,000).
        dataset: as for :func:`~mnist_adder.data.images.load_images`.
        pairs: ``"random"`` gives each image one number, drawn evenly and anew by each :meth:`set_epoch`;
            ``"all"`` gives each image all ten: pair i is image i // 10 with the number i % 10.
        seed: of the drawn numbers, >= 0.
        data: images already loaded, instead of ``root`` and ``dataset``: load once, make every split of them.

    Attributes:
        images: (N, 1, 28, 28) uint8.
        digits: (N,) int64, 0..9; below 0 where a training image of ``"mnist+pen"`` shows no digit.
        numbers: (len(self),) int64, 0..9, in the order of the pairs.
        dataset: which dataset it really is, ``"mnist"`` or ``"digits"`` for ``"auto"``.

    Raises:
        DataError: there is no such split, or the dataset cannot be had.
    """

    def __init__(
        self,
        root: Path | str | None = None,
        split: SplitName = "train",
        *,
        dataset: DatasetName = "auto",
        pairs: Literal["random", "all"] = "random",
        seed: int = 0,
        data: DigitImages | None = None,
    ) -> None:
        if split not in get_args(SplitName):
            raise DataError(f"There is no split {split!r}: choose train, validation, test or all.")
        data = data or load_images(dataset, root)
        images, self.digits = data.select(split)
        self.images = images.unsqueeze(1)
        self.dataset = data.dataset
        self.seed = seed
        self._numbers_each = NUMBERS if pairs == "all" else 1
        self.numbers = torch.arange(len(self)) % NUMBERS
        # In shared memory, workers that a loader keeps alive see the numbers of later epochs, too.
        with contextlib.suppress(RuntimeError):  # a small container may have no shared memory to give
            self.numbers.share_memory_()
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Draw the numbers of an epoch (>= 0); the same seed and epoch give the same numbers everywhere."""
        if self._numbers_each == 1:
            stream = rng.generator(self.seed, epoch, rng.NUMBERS)
            self.numbers.copy_(torch.randint(NUMBERS, (len(self),), generator=stream))

    @property
    def device(self) -> torch.device:
        """Where images, digits and numbers are, and batches will be."""
        return self.images.device

    def to(self, device: torch.device | str) -> MNISTAdder:
        """Move everything to a device, as ``nn.Module.to`` does; returns the dataset itself."""
        self.images = self.images.to(device)
        self.digits = self.digits.to(device)
        self.numbers = self.numbers.to(device)
        return self

    def batch(self, indices: Tensor) -> Batch:
        """The pairs at ``indices``, (B,) int64 in 0..len - 1, in a few index operations on the device."""
        indices = indices.to(self.device)
        rows = indices if self._numbers_each == 1 else indices // self._numbers_each
        images = self.images.index_select(0, rows).float().div_(255)
        numbers = self.numbers.index_select(0, indices)
        digits = self.digits.index_select(0, rows)
        return Batch(images, numbers, digits, digits + numbers)

    def __len__(self) -> int:
        return len(self.digits) * self._numbers_each

    def __getitem__(self, index: int) -> Item:
        """One pair; negative indices count from the end."""
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Item]:
        """Many pairs at once, as a list of items; loaders call it by themselves."""
        chosen = torch.tensor(indices, dtype=torch.int64)
        images, numbers, digits, sums = self.batch(torch.where(chosen < 0, chosen + len(self), chosen))
        inputs = zip(images.unbind(), numbers.tolist(), strict=True)
        answers = zip(digits.tolist(), sums.tolist(), strict=True)
        return list(zip(inputs, answers, strict=True))
