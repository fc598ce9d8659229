"""Batches of an epoch, made on the device by a few index operations, without workers.

Nothing waits for the device: the order of an epoch is made once, and its slices are known without looking.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from mnist_adder.data import rng
from mnist_adder.data.augment import Augment
from mnist_adder.data.dataset import MNISTAdder
from mnist_adder.types import Batch


class DeviceLoader:
    """Goes through a dataset once each time it is iterated, in batches of ``batch_size`` pairs on its device.

    Order and augmentation follow from the dataset's seed and the epoch. ``drop_last`` leaves out a last batch
    that is not full.

    With several processes, of which this is number ``rank`` from 0, each takes every ``world_size``-th pair
    of the same order, so their b-th batches together are the b-th batch of one process with a batch size
    ``world_size`` times as large. All get the same number of pairs: where they do not come out even, the
    first few are given twice, or with ``drop_last`` the last few left out.
    """

    def __init__(
        self,
        dataset: MNISTAdder,
        batch_size: int,
        *,
        shuffle: bool,
        augment: Augment | None = None,
        drop_last: bool = False,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.augment = augment
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0
        rounded = math.floor if drop_last else math.ceil
        self._share = rounded(len(dataset) / world_size)  # pairs of each process
        self._batches = rounded(self._share / batch_size)

    def set_epoch(self, epoch: int) -> None:
        """Go on to another epoch (>= 0): its order, its augmentation, and its numbers in the dataset."""
        self.dataset.set_epoch(epoch)
        self.epoch = epoch

    def __len__(self) -> int:
        return self._batches

    def __iter__(self) -> Iterator[Batch]:
        order = self._order()
        key = (self.dataset.seed, self.epoch, rng.AUGMENTATION, self.rank)
        stream = rng.generator(*key, device=order.device)
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            batch = self.dataset.batch(order[start : start + self.batch_size])
            if self.augment is not None:
                batch = batch._replace(images=self.augment(batch.images, stream))
            yield batch

    def _order(self) -> Tensor:
        """(share,) int64 on the dataset's device: the indices of this process's pairs."""
        length = len(self.dataset)
        places = torch.arange(self._share) * self.world_size + self.rank
        places %= length  # past the end the first come again
        if self.shuffle:
            # drawn on the CPU, so that an epoch has the same order on every device
            stream = rng.generator(self.dataset.seed, self.epoch, rng.ORDER)
            places = torch.randperm(length, generator=stream)[places]
        return places.to(self.dataset.device)
