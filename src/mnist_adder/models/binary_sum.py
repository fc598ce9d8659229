"""``binary-sum``: the sum as a binary number of five bits."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mnist_adder.models.base import Adder, Source
from mnist_adder.models.layers import conv_relu, number_value
from mnist_adder.models.recipe import Recipe
from mnist_adder.types import DIGITS, SUMS, Losses, Outputs

BITS = 5  # 18 is 10010


class BinarySum(Adder):
    """Four convolutions to 256 features, the number through 1-16-32-64, joined, then two heads.

    The sum head has an output for each bit of the sum, trained as five yes-or-no questions. No layer has a
    bias. Both answers come from the joined features, so the digit answer can change with the number.

    Fixed: softmax came before cross-entropy, which applies its own; the number 9 was never drawn
    (``randint(0, 9)`` leaves it out); the count of correct sums stayed 0; five bits can also say 19..31, so
    the answer is now the most probable of 0..18. He initialisation keeps the number's features from drowning
    the image's. The bits' losses are summed, not averaged (``sum_weight`` 5), and a step pairs each image
    with all ten numbers, since five epochs are few to learn carries in. Optimizer and batch size are ours.
    """

    recipe = Recipe(
        epochs=5,
        batch_size=64,
        numbers_per_image=10,
        learning_rate=2e-3,
        warmup_fraction=0.2,
        sum_weight=5.0,
        weight_averaging="ema",
        ema_decay=0.998,
    )
    source = Source(title="Session 2.5", parameters=6_772_272)
    fusion = "256 image and 64 number features, joined, through 320-256-256"
    objective = "cross-entropy + binary cross-entropy of 5 bits"

    def __init__(self) -> None:
        super().__init__()
        self.image_features = nn.Sequential(
            *conv_relu(1, 32, bias=False),  # 26x26
            *conv_relu(32, 32, bias=False),  # 24x24
            *conv_relu(32, 64, bias=False),  # 22x22
            *conv_relu(64, 64, bias=False),  # 20x20
            nn.Flatten(),
            nn.Linear(64 * 20 * 20, 256, bias=False),
        )
        self.number_features = nn.Sequential(
            nn.Linear(1, 16, bias=False),
            nn.ReLU(),
            nn.Linear(16, 32, bias=False),
            nn.ReLU(),
            nn.Linear(32, 64, bias=False),
            nn.ReLU(),
        )
        self.trunk = nn.Sequential(
            nn.Linear(256 + 64, 256, bias=False), nn.ReLU(), nn.Linear(256, 256, bias=False), nn.ReLU()
        )
        self.digit_head = nn.Linear(256, DIGITS, bias=False)
        self.sum_head = nn.Linear(256, BITS, bias=False)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

    def encode(self, images: Tensor) -> Tensor:
        """Features (B, 256). The pixels are not normalised, as published."""
        features: Tensor = self.image_features(images)
        return features

    def combine(self, features: Tensor, numbers: Tensor) -> Outputs:
        joined = self.trunk(torch.cat([features, self.number_features(number_value(numbers))], 1))
        return Outputs(self.digit_head(joined), self.sum_head(joined))

    def losses(self, outputs: Outputs, digits: Tensor, sums: Tensor) -> Losses:
        digit = F.cross_entropy(outputs.digit_logits, digits)
        return Losses(digit, F.binary_cross_entropy_with_logits(outputs.sum_scores, _bits(sums)))

    def sum_probabilities(self, outputs: Outputs) -> Tensor:
        """The product of the five bits' probabilities for each of 0..18, scaled to add up to 1."""
        # A bit's logit is log P(1) / P(0), so the product is exp of the sum of the logits of the bits that
        # are 1, but for a factor that all sums share.
        codes = _bits(torch.arange(SUMS, device=outputs.sum_scores.device))  # (19, 5)
        return (outputs.sum_scores @ codes.T).softmax(1)


def _bits(values: Tensor) -> Tensor:
    """Whole numbers (N,) as bits (N, 5), floats 0 or 1, the most significant first."""
    places = torch.arange(BITS - 1, -1, -1, device=values.device)
    return (values.unsqueeze(1) >> places & 1).float()
