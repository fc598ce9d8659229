"""Muon: momentum whose matrix is orthogonalised, so that weak directions move as far as strong ones.

The gradient of a layer is mostly a few directions. Orthogonalised, an update also follows the many weak ones,
and fewer steps are needed. Source: Keller Jordan, "Muon: An optimizer for hidden layers in neural networks",
2024 (kellerjordan.github.io/posts/muon), also for the iteration's constants. torch.optim.Muon takes matrices
only and refuses convolutions; this takes a convolution's weight (O, I, H, W) as the matrix (O, I H W).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from mnist_adder import environment

# x <- a x + b (x x') x + c (x x')^2 x. Steep at 0, so that small singular values grow quickly; they then stay
# between 0.7 and 1.2, which is near enough to 1.
_A, _B, _C = 3.4445, -4.7750, 2.0315
_STEPS = 3  # 5 bring most singular values between 0.7 and 1.2; 3 are cheaper and leave the smallest behind
_LARGE = 50_000  # values; below, beginning a product in bfloat16 takes a processor longer than the product
_VECTOR_RATE, _VECTOR_BETAS = 0.02, (0.9, 0.99)  # of AdamW; the rate is a multiple of the matrices'


def orthogonalise(update: Tensor, steps: int = _STEPS) -> Tensor:
    """Push the singular values of a matrix (R, C) towards 1 and keep its singular vectors; zeros stay zeros.

    Newton-Schulz iterations are matrix products only. Large matrices run, and are returned, in bfloat16 where
    the device is quicker in it: a direction need not be exact. All others are float32.
    """
    if update.size(0) > update.size(1):
        return orthogonalise(update.T, steps).T  # the product below is the smaller one, then
    x = update.to(_precision(update.device) if update.numel() > _LARGE else torch.float32)
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=_B, alpha=_C), x, beta=_A)
    return x


@cache
def _precision(device: torch.device) -> torch.dtype:
    return torch.bfloat16 if environment.best_precision(device) == "bf16-mixed" else torch.float32


class Muon(Optimizer):
    """Orthogonalised Nesterov momentum for matrices, AdamW for vectors, in one optimizer.

    An update of R rows and C columns is multiplied by sqrt(max(1, R / C)), so that the outputs of layers of
    all shapes change alike. Biases and normalisation weights are vectors. Both kinds follow ``lr``, so that
    one schedule drives them; it is near the size of a matrix's relative change in a step. Weight decay is
    decoupled: a step takes ``lr * weight_decay`` of the weight away.
    """

    def __init__(
        self, params: Iterable[Any], lr: float, momentum: float = 0.95, weight_decay: float = 0.0
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient; returns what ``closure`` does, if there is one."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    update = self._matrix if weight.dim() > 1 else self._vector
                    update(weight, weight.grad, self.state[weight], group)
        return loss

    @staticmethod
    def _matrix(weight: Tensor, gradient: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        if not state:
            state["velocity"] = torch.zeros_like(weight)
        velocity: Tensor = state["velocity"].mul_(group["momentum"]).add_(gradient)
        ahead = gradient.add(velocity, alpha=group["momentum"]).flatten(1)  # Nesterov's
        update = orthogonalise(ahead).to(weight.dtype)
        scale = max(1.0, ahead.size(0) / ahead.size(1)) ** 0.5
        weight.mul_(1 - group["lr"] * group["weight_decay"])
        weight.add_(update.reshape(weight.shape), alpha=-group["lr"] * scale)

    @staticmethod
    def _vector(weight: Tensor, gradient: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        if not state:
            state |= {"step": 0, "mean": torch.zeros_like(weight), "square": torch.zeros_like(weight)}
        first, second = _VECTOR_BETAS
        rate = group["lr"] * _VECTOR_RATE
        state["step"] += 1
        mean: Tensor = state["mean"].lerp_(gradient, 1 - first)
        square: Tensor = state["square"].lerp_(gradient.square(), 1 - second)
        deviation = (square / (1 - second ** state["step"])).sqrt_().add_(1e-8)
        weight.mul_(1 - rate * group["weight_decay"])
        weight.addcdiv_(mean, deviation, value=-rate / (1 - first ** state["step"]))
