"""Batches of an epoch, made on the device by a few index operations.

The whole dataset is kept on the training device. There are no workers and no Python code for each image, and
nothing waits for the device: the order of an epoch is made once, and its slices are known without looking.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from mnist_adder.data import rng
from mnist_adder.data.augment import Augment
from mnist_adder.data.dataset import MNISTAdder
from mnist_adder.errors import ModelError
from mnist_adder.types import Batch


class DeviceLoader:
    """Goes through a dataset once each time it is iterated.

    With several processes each takes every ``world_size``-th pair of the same order, so their b-th batches
    together are the b-th batch of one process with a batch size ``world_size`` times as large. All get the
    same number of pairs: where they do not come out even, the first few are given twice, or with
    ``drop_last`` the last few left out. Order and augmentation follow from the dataset's seed and the epoch.

    Args:
        dataset: the pairs; batches are made on its device.
        batch_size: pairs in a batch, of one process.
        shuffle: a new order in each epoch, else the dataset's.
        augment: what to do to the images, else nothing.
        drop_last: leave out a last batch that is not full.
        rank: which of the processes this is, 0..world_size - 1.
        world_size: how many processes share the epoch.

    Raises:
        ModelError: a batch size below 1 or too large to give a batch, or a rank that does not exist.
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
        if batch_size < 1:
            raise ModelError(f"The batch size is {batch_size}: it must be 1 or more.")
        if not 0 <= rank < world_size:
            raise ModelError(f"Rank {rank} of {world_size} processes: ranks run from 0 to world_size - 1.")
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.augment = augment
        self.drop_last = drop_last
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0
        if len(self) == 0:
            raise ModelError(
                f"The batch size is {batch_size}, for {self._share()} pairs, and incomplete batches are "
                "dropped: nothing is left. Choose a smaller one."
            )

    def set_epoch(self, epoch: int) -> None:
        """Go on to another epoch (>= 0): its order, its augmentation, and its numbers in the dataset."""
        self.dataset.set_epoch(epoch)
        self.epoch = epoch

    def __len__(self) -> int:
        whole, rest = divmod(self._share(), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

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
        length, processes = len(self.dataset), self.world_size
        return length // processes if self.drop_last else math.ceil(length / processes)

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
