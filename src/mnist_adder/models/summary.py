"""What a model consists of: its layers with shapes, sizes and cost, and which input each one reads.

A model comes in, a list of layers goes out. Training records the cost, reports draw the network from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import prod
from typing import Any, Literal

import torch
from torch import Tensor, nn

from mnist_adder.models.base import Adder
from mnist_adder.models.layers import Crop
from mnist_adder.types import NUMBERS, SIDE

Reads = Literal["image", "number", "both", "neither"]

_PAIRS = 64  # enough that two random inputs never happen to give one answer


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One module that has no parts, as it is met on the way from the two inputs to the answers."""

    name: str  # as in the state dict, without the parameter: classifier.0
    kind: str  # Conv2d, ReLU, Linear ...
    setting: str  # what is worth knowing of it: "3x3, padding 1"
    input_shape: tuple[int, ...]  # of one pair
    output_shape: tuple[int, ...]
    parameters: int
    multiply_adds: int  # for one pair; additions, activations, pooling and normalisation count nothing
    reads: Reads  # which of the inputs its output depends on


@dataclass(frozen=True, kw_only=True)
class ModelSummary:
    """A model's layers, in the order of their work, and what its two answers depend on."""

    layers: tuple[Layer, ...]
    features: int  # what encode hands to combine, per image
    digit_reads: Reads
    sum_reads: Reads

    @property
    def multiply_adds(self) -> int:
        """Of one pair, all layers."""
        return sum(layer.multiply_adds for layer in self.layers)


def summarize(model: Adder) -> ModelSummary:
    """Find a model's layers by asking it about random pairs; its weights and mode are left as they are.

    Which input a layer reads is found by changing one input and looking whether its output changes, so
    that an argmax on the way hides nothing.
    """
    with _evaluating(model), torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        device = next(model.parameters()).device
        images = torch.rand(_PAIRS, 1, SIDE, SIDE).to(device)
        encoding, features = _watch(model, lambda: model.encode(images))
        other = torch.randn_like(features) * features.std() + features.mean()
        numbers = torch.arange(_PAIRS, device=device) % NUMBERS
        ways = [(features, numbers), (other, numbers), (features, (numbers + 3) % NUMBERS)]
        asked = [_watch(model, lambda way=way: model.combine(*way)) for way in ways]
    (combining, answers), (by_image, image_answers), (by_number, number_answers) = asked
    layers = [_describe(*call, "image") for call in encoding]
    for call, image_call, number_call in zip(combining, by_image, by_number, strict=True):
        layers.append(_describe(*call, _reads(call[3], image_call[3], number_call[3])))
    return ModelSummary(
        layers=_counted_once(layers),
        features=features.shape[1],
        digit_reads=_reads(answers.digit_logits, image_answers.digit_logits, number_answers.digit_logits),
        sum_reads=_reads(answers.sum_scores, image_answers.sum_scores, number_answers.sum_scores),
    )


def _counted_once(layers: list[Layer]) -> tuple[Layer, ...]:
    """A layer that is used again brings no parameters the second time."""
    seen: set[str] = set()
    counted = []
    for layer in layers:
        counted.append(replace(layer, parameters=0) if layer.name in seen else layer)
        seen.add(layer.name)
    return tuple(counted)


_Call = tuple[str, nn.Module, Tensor, Tensor]


def _watch(model: Adder, work: Any) -> tuple[list[_Call], Any]:
    """Do the work and note each layer's call: name, module, input, output."""
    calls: list[_Call] = []
    handles = []
    for name, module in model.named_modules():
        if not any(module.children()):

            def note(module: nn.Module, inputs: tuple[Tensor], output: Tensor, name: str = name) -> None:
                calls.append((name, module, inputs[0].clone(), output.clone()))

            handles.append(module.register_forward_hook(note))
    try:
        return calls, work()
    finally:
        for handle in handles:
            handle.remove()


def _describe(name: str, module: nn.Module, inputs: Tensor, output: Tensor, reads: Reads) -> Layer:
    shape = tuple(output.shape[1:])
    cost = 0
    if isinstance(module, nn.Conv2d):
        cost = prod(shape) * module.in_channels // module.groups * prod(module.kernel_size)
    elif isinstance(module, nn.Linear):
        cost = prod(shape) * module.in_features
    return Layer(
        name=name,
        kind=type(module).__name__,
        setting=_setting(module),
        input_shape=tuple(inputs.shape[1:]),
        output_shape=shape,
        parameters=sum(parameter.numel() for parameter in module.parameters()),
        multiply_adds=cost,
        reads=reads,
    )


def _setting(module: nn.Module) -> str:
    if isinstance(module, nn.Conv2d):
        height, width = module.kernel_size
        said = [f"{height}x{width}"]
        if module.stride != (1, 1):
            said.append(f"stride {module.stride[0]}")
        if module.padding not in ((0, 0), "valid"):
            said.append(f"padding {module.padding[0]}")
        return ", ".join(said)
    if isinstance(module, nn.MaxPool2d | nn.AvgPool2d):
        return f"{module.kernel_size}x{module.kernel_size}"
    if isinstance(module, nn.AdaptiveAvgPool2d):
        return f"to {module.output_size}x{module.output_size}"
    if isinstance(module, Crop):
        return f"{-module.margin:+d} a side"
    if isinstance(module, nn.PixelUnshuffle):
        factor = module.downscale_factor
        return f"{factor}x{factor} to channels"
    return ""


def _reads(answer: Tensor, other_image: Tensor, other_number: Tensor) -> Reads:
    image, number = not torch.equal(answer, other_image), not torch.equal(answer, other_number)
    if image and number:
        return "both"
    return "image" if image else "number" if number else "neither"


@contextmanager
def _evaluating(model: Adder) -> Iterator[None]:
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)
