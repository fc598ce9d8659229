"""``argmax-regression``: classify first, then regress the sum from the digit found and the number."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mnist_adder.models.base import Adder, Source
from mnist_adder.models.layers import conv_relu, normalise, number_value
from mnist_adder.models.recipe import Recipe
from mnist_adder.types import DIGITS, SUMS, Losses, Outputs


class ArgmaxRegression(Adder):
    """Eight convolutions to ten logits; their argmax and the number, as two floats, through 2-5-5-1.

    The sum is one float, trained by mean squared error, read by rounding. The head has no activation since
    addition is linear. No gradient passes the argmax, so each loss teaches its own part alone.

    Fixed: the published loop drew every batch from a new shuffled iterator, so an epoch was a sample with
    repeats, and scored itself on that; a reshape to (32, 1) fixed the batch size; a float above 18 or below
    0 now reads as the nearest sum. Optimizer, learning rate and batch size were not published and are ours.
    """

    recipe = Recipe(epochs=10, batch_size=128, learning_rate=3e-3)
    source = Source(
        title="Pytorch 101: Image Classifier and Number Addition; Backpropagation Calculations on Excel",
        parameters=100_461,
    )
    fusion = "argmax of the digit logits and the number, two floats, through 2-5-5-1"
    objective = "cross-entropy + mean squared error"

    def __init__(self) -> None:
        super().__init__()
        self.classifier = nn.Sequential(
            *conv_relu(1, 16),  # 26x26
            *conv_relu(16, 32),  # 24x24
            *conv_relu(32, 64),  # 22x22
            nn.MaxPool2d(2),  # 11x11
            *conv_relu(64, 16, 1),
            *conv_relu(16, 32),  # 9x9
            *conv_relu(32, 64),  # 7x7
            *conv_relu(64, 64),  # 5x5
            nn.Conv2d(64, DIGITS, 5),  # 1x1
            nn.Flatten(),
        )
        self.head = nn.Sequential(nn.Linear(2, 5), nn.Linear(5, 5), nn.Linear(5, 1))

    def encode(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(normalise(images))
        return logits

    def combine(self, features: Tensor, numbers: Tensor) -> Outputs:
        digits = features.argmax(1, keepdim=True).float()
        return Outputs(features, self.head(torch.cat([digits, number_value(numbers)], 1)))

    def losses(self, outputs: Outputs, digits: Tensor, sums: Tensor) -> Losses:
        digit = F.cross_entropy(outputs.digit_logits, digits)
        return Losses(digit, F.mse_loss(outputs.sum_scores.squeeze(1), sums.float()))

    def sum_probabilities(self, outputs: Outputs) -> Tensor:
        """The normal distribution whose log-likelihood the loss is, at 0..18; its peak is the rounded sum."""
        sums = torch.arange(SUMS, device=outputs.sum_scores.device)
        return (-(outputs.sum_scores - sums).square()).softmax(1)
