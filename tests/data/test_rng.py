from __future__ import annotations

import torch

from mnist_adder.data import rng


def draw(*key: int) -> tuple[int, ...]:
    return tuple(torch.randint(2**31, (4,), generator=rng.generator(*key)).tolist())


def test_a_key_gives_one_stream_and_each_key_another() -> None:
    keys = [(seed, epoch, stream) for seed in range(5) for epoch in range(5) for stream in range(3)]
    assert len({draw(*key) for key in keys}) == len(keys)
    assert draw(1, 2, 3) == draw(1, 2, 3)


def test_streams_are_the_same_for_ever() -> None:
    assert draw(0, 0, rng.NUMBERS) == (820510290, 191909657, 1615959214, 587006176)
