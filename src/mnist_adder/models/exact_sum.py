"""``exact-sum``, ours: learn the digit, compute the sum."""

from __future__ import annotations

from torch import Tensor, nn

from mnist_adder.models import backbones
from mnist_adder.models.base import Adder
from mnist_adder.models.layers import add_distributions, normalise
from mnist_adder.models.presets import PRESETS
from mnist_adder.models.recipe import Recipe
from mnist_adder.types import Outputs


class ExactSum(Adder):
    """A small convolutional network to ten logits; the sum is the distribution of digit + number.

    The number is known, so the sum's distribution is the digit's convolved with the number's: a shift
    without parameters, differentiable, and never at odds with the digit.
    """

    recipe = Recipe(
        epochs=8,
        batch_size=512,
        learning_rate=2e-2,
        weight_decay=0.3,
        weight_averaging="ema",
        ema_decay=0.99,
        rotation_degrees=10,
        translation_pixels=2,
        scale=0.1,
        shear_degrees=5,
    )
    fusion = "the sum is computed: the digit's distribution convolved with the number's"
    objective = "two cross-entropies"
    presets = PRESETS

    def __init__(self, preset: str | None = None) -> None:
        super().__init__()
        network = backbones.standard if preset is None else PRESETS[preset].network
        self.classifier: nn.Module = network()

    def encode(self, images: Tensor) -> Tensor:
        """Digit logits (B, 10)."""
        logits: Tensor = self.classifier(normalise(images))
        return logits

    def combine(self, features: Tensor, numbers: Tensor) -> Outputs:
        """Digit logits (B, 10) and the sum's log-probabilities (B, 19)."""
        return Outputs(features, add_distributions(features.log_softmax(1), numbers))
