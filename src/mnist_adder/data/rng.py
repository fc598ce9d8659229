"""Random streams that can be repeated: one for each purpose and epoch.

In: a seed and what the stream is for. Out: a generator. Next: pairs and batches.
"""

from __future__ import annotations

import numpy as np
import torch

NUMBERS = 0
"""The stream that draws numbers."""
ORDER = 1
"""The stream that shuffles."""
AUGMENTATION = 2
"""The stream that turns and shifts images."""


def generator(*key: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator that depends on every integer of ``key`` (each >= 0) and on nothing else.

    Keys that differ, even by one, give unrelated streams, which ``seed + epoch`` would not: there, epoch 1
    of seed 0 is epoch 0 of seed 1.
    """
    mixed = np.random.SeedSequence(key).generate_state(1, np.uint64)
    return torch.Generator(device).manual_seed(int(mixed[0]))
