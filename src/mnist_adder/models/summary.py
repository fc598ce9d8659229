"""What a model consists of: its layers in the order of their work, with shapes, parameters and cost."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from mnist_adder.models.base import Adder, evaluation_mode
from mnist_adder.types import SIDE


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One call of a module that has no parts; shape and cost are those of one pair."""

    name: str  # as in the state dict, without the parameter: classifier.0
    module: nn.Module
    output_shape: tuple[int, ...]
    parameters: int  # 0 if the module was called before
    multiply_adds: int


@dataclass(frozen=True, kw_only=True)
class ModelSummary:
    """A model's layers, in the order in which they are called, and what one pair costs."""

    layers: tuple[Layer, ...]
    multiply_adds: int  # of one pair, what is computed outside layers included


def summarize(model: Adder) -> ModelSummary:
    """Find a model's layers by running it on a pair; its weights and mode are left as they are."""
    device = next(model.parameters()).device
    images = torch.zeros(1, 1, SIDE, SIDE, device=device)
    numbers = torch.zeros(1, dtype=torch.int64, device=device)
    names = {module: name for name, module in model.named_modules() if not any(module.children())}
    calls: list[tuple[nn.Module, Tensor, Tensor]] = []  # the module, its first input, its output

    def record(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        calls.append((module, inputs[0], output))

    with evaluation_mode(model), torch.no_grad():
        handles = [module.register_forward_hook(record) for module in names]
        try:
            model(images, numbers)
        finally:
            for handle in handles:
                handle.remove()
        seen: set[nn.Module] = set()
        layers = []
        for module, before, after in calls:
            layers.append(
                Layer(
                    name=names[module],
                    module=module,
                    output_shape=tuple(after.shape[1:]),
                    parameters=0 if module in seen else sum(one.numel() for one in module.parameters()),
                    multiply_adds=_multiply_adds(module, before),
                )
            )
            seen.add(module)
        return ModelSummary(layers=tuple(layers), multiply_adds=_multiply_adds(model, images, numbers))


def _multiply_adds(module: nn.Module, *inputs: Tensor) -> int:
    """Convolutions and matrix products, half the flops that torch counts; all else counts nothing."""
    with FlopCounterMode(display=False) as counter:
        module(*inputs)
    return int(counter.get_total_flops()) // 2
