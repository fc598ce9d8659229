"""Batches of an epoch, made on the device by a few index operations, without workers.

Nothing waits for the device: the order of an epoch is made once, and its slices are known without looking.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass, field

import torch
from torch import Tensor

from mnist_adder.data import rng
from mnist_adder.data.augment import Augment
from mnist_adder.data.dataset import MNISTAdder
from mnist_adder.types import Batch


@dataclass(eq=False)
class DeviceLoader:
    """Goes through a dataset once each time it is iterated, in batches on the dataset's device.

    Order and augmentation follow from the dataset's seed and the epoch. With several processes each takes
    every ``world_size``-th pair of the same order, so their b-th batches together are the b-th batch of one
    process with a batch size ``world_size`` times as large. All get the same number of pairs: where they do
    not come out even, the first few are given twice, or with ``drop_last`` the last few left out.
    """

    dataset: MNISTAdder
    batch_size: int  # pairs in a batch, of one process
    _: KW_ONLY
    shuffle: bool  # a new order in each epoch, else the dataset's
    augment: Augment | None = None
    drop_last: bool = False  # leave out a last batch that is not full
    rank: int = 0  # which of the processes this is, 0..world_size - 1
    world_size: int = 1
    epoch: int = field(default=0, init=False)

    def set_epoch(self, epoch: int) -> None:
        """Go on to another epoch (>= 0): its order, its augmentation, and its numbers in the dataset."""
        self.dataset.set_epoch(epoch)
        self.epoch = epoch

    def __len__(self) -> int:
        return self._rounded(self._share() / self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        order = self._order()
        key = (self.dataset.seed, self.epoch, rng.AUGMENTATION, self.rank)
        stream = rng.generator(*key, device=order.device)
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            batch = self.dataset.batch(order[start : start + self.batch_size])
            if self.augment is not None:
                batch = batch._replace(images=self.augment(batch.images, stream))
            yield batch

    def _share(self) -> int:
        """How many pairs each process gets."""
        return self._rounded(len(self.dataset) / self.world_size)

    def _rounded(self, quotient: float) -> int:
        return math.floor(quotient) if self.drop_last else math.ceil(quotient)

    def _order(self) -> Tensor:
        """(share,) int64 on the dataset's device: the indices of this process's pairs."""
        length = len(self.dataset)
        places = torch.arange(self._share()) * self.world_size + self.rank
        places %= length  # past the end the first come again
        if self.shuffle:
            # drawn on the CPU, so that an epoch has the same order on every device
            stream = rng.generator(self.dataset.seed, self.epoch, rng.ORDER)
            places = torch.randperm(length, generator=stream)[places]
        return places.to(self.dataset.device)
