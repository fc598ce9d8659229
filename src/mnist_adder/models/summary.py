"""What a model consists of: its layers with shapes, parameters and cost, and which input each one reads.

Training records the multiply-adds of a pair; reports list the layers and draw the network from them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from mnist_adder.models.base import Adder, evaluation_mode
from mnist_adder.models.layers import Crop
from mnist_adder.types import NUMBERS, SIDE

Reads = Literal["image", "number", "both", "neither"]

_PAIRS = 64  # enough that no layer gives the same output for two random inputs by chance


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One call of a module that has no parts; shapes and cost are those of one pair."""

    name: str  # as in the state dict, without the parameter: classifier.0
    kind: str  # Conv2d, ReLU, Linear ...
    setting: str  # what is worth knowing of it: "3x3, padding 1"
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    parameters: int  # 0 if the module was called before
    multiply_adds: int
    reads: Reads  # which of the inputs its output depends on


@dataclass(frozen=True, kw_only=True)
class ModelSummary:
    """A model's layers, in the order in which they are called, and what its two answers depend on."""

    layers: tuple[Layer, ...]
    multiply_adds: int  # of one pair, what is computed outside layers included
    features: int  # of an image, between encode and combine
    digit_reads: Reads
    sum_reads: Reads


class _Call(NamedTuple):
    name: str
    module: nn.Module
    input: Tensor
    output: Tensor


def summarize(model: Adder) -> ModelSummary:
    """Find a model's layers by running it on random pairs; its weights and mode are left as they are.

    Which input a layer reads is found by changing one input and comparing the layer's outputs. Gradients
    would not do: an argmax stops them.
    """
    with evaluation_mode(model), torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        device = next(model.parameters()).device
        images = torch.rand(_PAIRS, 1, SIDE, SIDE).to(device)
        numbers = torch.arange(_PAIRS, device=device) % NUMBERS
        with _recorded(model) as encoding:
            features = model.encode(images)
        # Not those of other random images, which an untrained network hardly tells apart.
        other = torch.randn_like(features) * features.std() + features.mean()
        with _recorded(model) as combining:
            pairs = [(features, numbers), (other, numbers), (features, (numbers + 3) % NUMBERS)]
            outputs = [model.combine(*pair) for pair in pairs]
        calls = len(combining) // len(pairs)
        reads: list[Reads] = ["image"] * len(encoding)
        for place in range(calls):
            reads.append(_reads(*(call.output for call in combining[place::calls])))
        return ModelSummary(
            layers=_layers([*encoding, *combining[:calls]], reads),
            multiply_adds=_multiply_adds(model, images[:1], numbers[:1]),
            features=features.shape[1],
            digit_reads=_reads(*(output.digit_logits for output in outputs)),
            sum_reads=_reads(*(output.sum_scores for output in outputs)),
        )


@contextmanager
def _recorded(model: Adder) -> Iterator[list[_Call]]:
    """Each call of a layer, in order, as long as the context lasts."""
    calls: list[_Call] = []
    names = {module: name for name, module in model.named_modules() if not any(module.children())}

    def note(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        calls.append(_Call(names[module], module, inputs[0], output.clone()))  # a ReLU may work in place

    handles = [module.register_forward_hook(note) for module in names]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def _reads(output: Tensor, of_other_image: Tensor, of_other_number: Tensor) -> Reads:
    image, number = not torch.equal(output, of_other_image), not torch.equal(output, of_other_number)
    if image and number:
        return "both"
    return "image" if image else "number" if number else "neither"


def _multiply_adds(module: nn.Module, *inputs: Tensor) -> int:
    """Convolutions and matrix products, half the flops that torch counts; all else counts nothing."""
    with FlopCounterMode(display=False) as counter:
        module(*inputs)
    return int(counter.get_total_flops()) // 2


def _layers(calls: list[_Call], reads: list[Reads]) -> tuple[Layer, ...]:
    seen: set[str] = set()
    layers = []
    for (name, module, before, after), read in zip(calls, reads, strict=True):
        layers.append(
            Layer(
                name=name,
                kind=type(module).__name__,
                setting=_setting(module),
                input_shape=tuple(before.shape[1:]),
                output_shape=tuple(after.shape[1:]),
                parameters=0 if name in seen else sum(one.numel() for one in module.parameters()),
                multiply_adds=_multiply_adds(module, before[:1]),
                reads=read,
            )
        )
        seen.add(name)
    return tuple(layers)


def _setting(module: nn.Module) -> str:
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
        return f"{-module.margin:+d} a side"
    if isinstance(module, nn.PixelUnshuffle):
        return f"{module.downscale_factor}x{module.downscale_factor} to channels"
    return ""
