"""``learned-sum``: the network of ``exact-sum`` with a head that has to learn to add."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mnist_adder.models import backbones
from mnist_adder.models.base import Adder
from mnist_adder.models.exact_sum import ExactSum
from mnist_adder.models.layers import normalise, number_distribution
from mnist_adder.types import DIGITS, NUMBERS, SUMS, Outputs


class LearnedSum(Adder):
    """The digit's probabilities and the one-hot number through a perceptron, 20-128-19.

    Backbone and recipe are those of ``exact-sum``, so that comparing the two is about learning to add alone.
    """

    recipe = ExactSum.recipe
    fusion = "digit probabilities and the one-hot number through 20-128-19"
    objective = "two cross-entropies"

    def __init__(self) -> None:
        super().__init__()
        self.classifier: nn.Module = backbones.standard()
        self.head = nn.Sequential(nn.Linear(DIGITS + NUMBERS, 128), nn.ReLU(), nn.Linear(128, SUMS))

    def encode(self, images: Tensor) -> Tensor:
        """Digit logits (B, 10)."""
        logits: Tensor = self.classifier(normalise(images))
        return logits

    def combine(self, features: Tensor, numbers: Tensor) -> Outputs:
        joined = torch.cat([features.softmax(1), number_distribution(numbers)], 1)
        return Outputs(features, self.head(joined))
