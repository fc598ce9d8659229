"""What a model consists of: its layers in the order of their work, with shapes, parameters and cost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from mnist_adder.models.base import Adder, evaluation_mode
from mnist_adder.types import SIDE

Call = tuple[str, nn.Module, Tensor, Tensor]  # the module's name, itself, its first input, its output


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One call of a module that has no parts; shapes and cost are those of one pair."""

    name: str  # as in the state dict, without the parameter: classifier.0
    module: nn.Module
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    parameters: int  # 0 if the module was called before
    multiply_adds: int


@dataclass(frozen=True, kw_only=True)
class ModelSummary:
    """A model's layers, in the order in which they are called, and what one pair costs."""

    layers: tuple[Layer, ...]
    multiply_adds: int  # of one pair, what is computed outside layers included
    features: int  # of an image, between encode and combine


def summarize(model: Adder) -> ModelSummary:
    """Find a model's layers by running it on a pair; its weights and mode are left as they are."""
    device = next(model.parameters()).device
    images = torch.zeros(1, 1, SIDE, SIDE, device=device)
    numbers = torch.zeros(1, dtype=torch.int64, device=device)
    with evaluation_mode(model), torch.no_grad():
        with recorded_calls(model) as calls:
            features = model.encode(images)
            model.combine(features, numbers)
        layers: list[Layer] = []
        for name, module, before, after in calls:
            again = any(layer.module is module for layer in layers)
            layers.append(
                Layer(
                    name=name,
                    module=module,
                    input_shape=tuple(before.shape[1:]),
                    output_shape=tuple(after.shape[1:]),
                    parameters=0 if again else sum(one.numel() for one in module.parameters()),
                    multiply_adds=_multiply_adds(module, before),
                )
            )
        return ModelSummary(
            layers=tuple(layers),
            multiply_adds=_multiply_adds(model, images, numbers),
            features=features.shape[1],
        )


@contextmanager
def recorded_calls(model: Adder) -> Iterator[list[Call]]:
    """Each call of a module that has no parts, in order, as long as the context lasts."""
    calls: list[Call] = []
    names = {module: name for name, module in model.named_modules() if not any(module.children())}

    def note(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        calls.append((names[module], module, inputs[0], output))

    handles = [module.register_forward_hook(note) for module in names]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def _multiply_adds(module: nn.Module, *inputs: Tensor) -> int:
    """Convolutions and matrix products, half the flops that torch counts; all else counts nothing."""
    with FlopCounterMode(display=False) as counter:
        module(*inputs)
    return int(counter.get_total_flops()) // 2
