"""``logit-mlp``: ten digit logits and the one-hot number through a small perceptron to nineteen sums."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mnist_adder.models.base import Adder, Source
from mnist_adder.models.layers import conv_relu, number_distribution
from mnist_adder.models.recipe import Recipe
from mnist_adder.types import DIGITS, NUMBERS, SUMS, Outputs


class LogitMLP(Adder):
    """Seven convolutions to ten logits, joined with the one-hot number, through 20-128-19.

    The sum's loss reaches the convolutions through the logits; the digit answer cannot depend on the number.

    Fixed: the published loop looked at test accuracy after every epoch and held no images out; evaluation
    drew one random number per image instead of all ten. Optimizer and learning rate are ours.
    """

    recipe = Recipe(epochs=5, batch_size=256, learning_rate=2e-3, digit_weight=0.5, sum_weight=0.5)
    source = Source(title="Pytorch 2. Session assignment", parameters=220_125)
    fusion = "digit logits and the one-hot number through 20-128-19"
    objective = "mean of two cross-entropies"

    def __init__(self) -> None:
        super().__init__()
        self.classifier = nn.Sequential(
            *conv_relu(1, 32, padding=1),  # 28x28
            *conv_relu(32, 64, padding=1),
            nn.MaxPool2d(2),  # 14x14
            *conv_relu(64, 64, padding=1),
            *conv_relu(64, 64, padding=1),
            nn.MaxPool2d(2),  # 7x7
            *conv_relu(64, 64),  # 5x5
            *conv_relu(64, 128),  # 3x3
            nn.Conv2d(128, DIGITS, 3),  # 1x1
            nn.Flatten(),
        )
        self.head = nn.Sequential(nn.Linear(DIGITS + NUMBERS, 128), nn.ReLU(), nn.Linear(128, SUMS))

    def encode(self, images: Tensor) -> Tensor:
        """Digit logits (B, 10). The pixels are not normalised, as published."""
        logits: Tensor = self.classifier(images)
        return logits

    def combine(self, features: Tensor, numbers: Tensor) -> Outputs:
        return Outputs(features, self.head(torch.cat([features, number_distribution(numbers)], 1)))
