"""Repeatable random streams, one for each seed, epoch and purpose."""

from __future__ import annotations

import numpy as np
import torch

NUMBERS, ORDER, AUGMENTATION = range(3)  # what a stream is for


def generator(*key: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator that depends on every integer of ``key`` (each >= 0) and on nothing else.

    Keys that differ, even by one, give unrelated streams, which ``seed + epoch`` would not: there, epoch 1
    of seed 0 is epoch 0 of seed 1.
    """
    mixed = np.random.SeedSequence(key).generate_state(1, np.uint64)
    return torch.Generator(device).manual_seed(int(mixed[0]))
