"""``shared-trunk``: a very small network whose image and number features share two layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mnist_adder.models.base import Adder, Source
from mnist_adder.models.layers import conv_block, normalise, number_distribution
from mnist_adder.models.recipe import Recipe
from mnist_adder.types import DIGITS, NUMBERS, SUMS, Outputs


class SharedTrunk(Adder):
    """A backbone of 9.9 K parameters to 20 features, joined with the one-hot number, through 30-60-60.

    Two heads read the same 60 values, so the digit answer can change with the number. The backbone's inner
    layers were not published. These have the published size, 9.9 K of 17.3 K in all; it also tells that the
    two trunk layers have no bias and are batch-normalised.

    Fixed: joint accuracy was the product of two accuracies; 16 of the 10,000 test images were dropped with
    the last, short batch.
    """

    recipe = Recipe(
        epochs=20,
        batch_size=256,
        learning_rate=2e-2,
        weight_averaging="ema",
        ema_decay=0.995,
        warmup_fraction=0.2,
    )
    source = Source(title="PyTorch 101 (MNISTAdder)", parameters=17_300)
    fusion = "20 image features and the one-hot number through 30-60-60, two heads"
    objective = "two cross-entropies"

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(
            conv_block(1, 8),  # 28x28
            conv_block(8, 16, pool=True),  # 14x14
            conv_block(16, 8, 1, padding=0),
            conv_block(8, 16),
            conv_block(16, 16, pool=True),  # 7x7
            conv_block(16, 16),
            conv_block(16, 16),
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(16, 20, 1, bias=False),
            nn.Flatten(),
        )
        self.trunk = nn.Sequential(
            nn.Linear(20 + NUMBERS, 60, bias=False),
            nn.BatchNorm1d(60),
            nn.ReLU(),
            nn.Linear(60, 60, bias=False),
            nn.BatchNorm1d(60),
            nn.ReLU(),
        )
        self.digit_head = nn.Linear(60, DIGITS, bias=False)
        self.sum_head = nn.Linear(60, SUMS, bias=False)

    def encode(self, images: Tensor) -> Tensor:
        """Features (B, 20)."""
        features: Tensor = self.backbone(normalise(images))
        return features

    def combine(self, features: Tensor, numbers: Tensor) -> Outputs:
        joined = self.trunk(torch.cat([features, number_distribution(numbers)], 1))
        return Outputs(self.digit_head(joined), self.sum_head(joined))
