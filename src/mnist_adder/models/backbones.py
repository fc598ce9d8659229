"""Networks from normalised images (B, 1, 28, 28) to digit logits (B, 10), for ``exact-sum`` and its presets.

All but ``best`` leave out the two outer rows and columns, which hold 0.2 % of the ink. What remains becomes
four channels, a cell of 2x2 each: nothing is lost by that, and no layer works at 24x24, where a processor
spends its time moving values rather than multiplying them.
"""

from __future__ import annotations

from torch import nn

from mnist_adder.models.layers import Crop, FlattenChannelsLast, Repeated, conv_block
from mnist_adder.types import DIGITS


def cells() -> list[nn.Module]:
    """The inner 24x24 pixels as 4 channels of 12x12."""
    return [Crop(2), nn.PixelUnshuffle(2)]


def standard() -> nn.Module:
    """Three convolutions and a linear layer; ``exact-sum`` and ``learned-sum`` share it."""
    return nn.Sequential(
        *cells(),
        conv_block(4, 32),
        conv_block(32, 64, pool=True),  # 6x6
        conv_block(64, 96, padding=0),  # 4x4
        FlattenChannelsLast(),
        nn.Linear(96 * 4 * 4, DIGITS),
    )


def fast() -> nn.Module:
    """Two convolutions and two linear layers, without biases: little to multiply, less to move."""
    return nn.Sequential(
        *cells(),
        nn.Conv2d(4, 16, 3, bias=False),  # 10x10
        nn.MaxPool2d(2),  # 5x5
        nn.SiLU(),
        nn.Conv2d(16, 64, 3, bias=False),  # 3x3
        nn.SiLU(),
        FlattenChannelsLast(),
        nn.Linear(64 * 3 * 3, 256, bias=False),
        nn.BatchNorm1d(256, affine=False),
        nn.SiLU(),
        nn.Linear(256, DIGITS, bias=False),
    )


def best() -> nn.Module:
    """Five wide convolutions of the whole image, without padding or pooling, for some minutes of training."""
    return nn.Sequential(
        nn.PixelUnshuffle(2),  # 14x14
        conv_block(4, 72, padding=0),  # 12x12
        conv_block(72, 80, padding=0),
        conv_block(80, 88, padding=0),
        conv_block(88, 84, padding=0),
        conv_block(84, 80, padding=0),  # 4x4
        FlattenChannelsLast(),
        nn.Linear(80 * 4 * 4, DIGITS),
    )


def tiny(width: int = 16) -> nn.Module:
    """As few weights as will do: narrow, one convolution used three times, and the mean over all places.

    A width of 16 channels makes 9,098 parameters, 12 make 5,314, 10 make 3,800, 7 make 1,964.
    """
    return nn.Sequential(
        *cells(),
        conv_block(4, width),
        conv_block(width, width, pool=True),  # 6x6
        Repeated(width, 3),
        conv_block(width, width * 3 // 2, padding=0),  # 4x4
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(width * 3 // 2, DIGITS),
    )
