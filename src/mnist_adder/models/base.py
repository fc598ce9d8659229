"""What every model is: an Adder with a recipe and, if it was published, a source."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from mnist_adder.models.presets import Preset
from mnist_adder.models.recipe import Recipe
from mnist_adder.types import Losses, Outputs


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a model was published; docs/tutorial.md has what was claimed for it."""

    title: str
    parameters: int  # exact, or the claim rounded to three digits


class Adder(nn.Module, ABC):
    """A network with two inputs and two outputs.

    The two inputs meet in :meth:`combine` and nowhere else, so an image that is asked about with all ten
    numbers is encoded once. To add a model, put one subclass in one new file of this folder.
    """

    recipe: ClassVar[Recipe]
    source: ClassVar[Source | None] = None
    fusion: ClassVar[str]  # how the inputs meet, in a few words
    objective: ClassVar[str]  # the two losses, in a few words
    presets: ClassVar[Mapping[str, Preset]] = {}  # other networks of the model; their names make instances

    @classmethod
    def name(cls) -> str:
        """The model's name: its file's, with hyphens."""
        return cls.__module__.rpartition(".")[2].replace("_", "-")

    @abstractmethod
    def encode(self, images: Tensor) -> Tensor:
        """Turn images (B, 1, 28, 28), float in [0, 1], into features (B, F). Normalises inside."""

    @abstractmethod
    def combine(self, features: Tensor, numbers: Tensor) -> Outputs:
        """Let the two inputs meet: digit logits (B, 10) and sum scores (B, K).

        Args:
            features: (B, F) float32, from :meth:`encode`.
            numbers: (B,) integers 0..9, or (B, 10) float, a distribution over them.
        """

    def losses(self, outputs: Outputs, digits: Tensor, sums: Tensor) -> Losses:
        """The digit's and the sum's loss, two scalars, for digits (B,) 0..9 and sums (B,) 0..18.

        Two cross-entropies; a model whose sum scores are not 19 logits overrides this and sum_probabilities.
        """
        digit = F.cross_entropy(outputs.digit_logits, digits)
        return Losses(digit, F.cross_entropy(outputs.sum_scores, sums))

    def sum_probabilities(self, outputs: Outputs) -> Tensor:
        """The distribution of the sum, (B, 19)."""
        return outputs.sum_scores.softmax(1)

    def is_digit_probability(self, outputs: Outputs) -> Tensor:
        """How likely each image shows a digit at all, (B,): the sigmoid of the digit logits' log-sum-exp.

        So says a softmax with an eleventh class, "no digit", whose logit is fixed at 0: it needs no weights.
        """
        logits = outputs.digit_logits
        # A logit less its log-softmax is the log-sum-exp, for which few programs read ONNX's own operator.
        largest, log_share = (scores.amax(1, keepdim=True) for scores in (logits, logits.log_softmax(1)))
        return (largest - log_share).sigmoid().view(-1)

    def forward(self, images: Tensor, numbers: Tensor) -> Outputs:
        """Answer B pairs: images (B, 1, 28, 28) in [0, 1]; numbers (B,) or (B, 10)."""
        return self.combine(self.encode(images), numbers)

    def parameter_count(self) -> int:
        """The number of trainable parameters."""
        return sum(parameter.numel() for parameter in self.parameters() if parameter.requires_grad)


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Put a model in evaluation mode, and back into the mode it was in."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)
