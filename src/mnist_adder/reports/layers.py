"""What a report says of a model's layers beyond the summary: in words, and which input each one reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from mnist_adder.models import Adder
from mnist_adder.models.base import evaluation_mode
from mnist_adder.models.layers import Crop
from mnist_adder.models.summary import Layer, recorded_calls
from mnist_adder.types import NUMBERS, SIDE

Reads = Literal["image", "number", "both", "neither"]

_PAIRS = 64  # enough that no layer gives the same output for two random inputs by chance


@dataclass(frozen=True, kw_only=True)
class Dependence:
    """Which of the two inputs the outputs of layers and the two answers depend on."""

    layers: tuple[Reads, ...]  # in the order of the summary's layers
    digit: Reads
    sum: Reads


def find_dependence(model: Adder) -> Dependence:
    """Change one input and compare the outputs; gradients would not do, since an argmax stops them."""
    with evaluation_mode(model), torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        numbers = torch.arange(_PAIRS) % NUMBERS
        with recorded_calls(model) as encoding:
            features = model.encode(torch.rand(_PAIRS, 1, SIDE, SIDE))
        # Not those of other random images, which an untrained network hardly tells apart.
        other = torch.randn_like(features) * features.std() + features.mean()
        with recorded_calls(model) as combining:
            pairs = [(features, numbers), (other, numbers), (features, (numbers + 3) % NUMBERS)]
            outputs = [model.combine(*pair) for pair in pairs]
    calls = len(combining) // len(pairs)
    reads: list[Reads] = ["image"] * len(encoding)
    reads += [_reads(*(output for *_, output in combining[place::calls])) for place in range(calls)]
    return Dependence(
        layers=tuple(reads),
        digit=_reads(*(output.digit_logits for output in outputs)),
        sum=_reads(*(output.sum_scores for output in outputs)),
    )


def _reads(output: Tensor, of_other_image: Tensor, of_other_number: Tensor) -> Reads:
    image, number = not torch.equal(output, of_other_image), not torch.equal(output, of_other_number)
    if image and number:
        return "both"
    return "image" if image else "number" if number else "neither"


def describe(layer: Layer) -> str:
    """Its kind and what is worth knowing of it: ``Conv2d 3x3, padding 1``."""
    return f"{type(layer.module).__name__} {setting(layer.module)}".strip()


def setting(module: nn.Module) -> str:
    """What is worth knowing of a module, if anything: ``3x3, padding 1``."""
    if isinstance(module, nn.Conv2d):
        height, width = module.kernel_size
        stride = f", stride {module.stride[0]}" if module.stride != (1, 1) else ""
        padding = f", padding {module.padding[0]}" if module.padding not in ((0, 0), "valid") else ""
        return f"{height}x{width}{stride}{padding}"
    if isinstance(module, nn.MaxPool2d | nn.AvgPool2d):
        return f"{module.kernel_size}x{module.kernel_size}"
    if isinstance(module, nn.AdaptiveAvgPool2d):
        return f"to {module.output_size}x{module.output_size}"
    if isinstance(module, Crop):
        return f"{module.margin} a side"
    if isinstance(module, nn.PixelUnshuffle):
        return f"{module.downscale_factor}x{module.downscale_factor} to channels"
    return ""
