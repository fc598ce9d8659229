"""The network ``fast`` as matrix products alone: its convolutions are unrolled.

Nothing comes in; learners, and what makes their weights of the model's, go out. Next: fast.

On so few pixels a convolution is quicker as one large matrix, its weight repeated for every place it looks
at: more than half of the products are with zeros, but the processor's matrix unit is through with all of them
before a convolution has arranged its inputs. The gradient of a weight is the sum over its places.
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mnist_adder import environment
from mnist_adder.types import DIGITS


class _MaxOfFour(nn.Module):
    """Pooling of the unrolled first convolution: (25 B, 4 * 16) to (B, 25 * 16)."""

    def forward(self, outputs: Tensor) -> Tensor:
        """The largest of four neighbours, which are pixels in a row as ``max_pool2d`` sees them."""
        rows = outputs.view(-1, 1, 4, 16).permute(0, 3, 1, 2)  # channels-last (25 B, 16, 1, 4)
        return F.max_pool2d(rows, (1, 4)).permute(0, 2, 3, 1).reshape(-1, 25 * 16)


def learners() -> tuple[nn.Module, nn.Module]:
    """The network ``fast`` as matrix products, twice: for two threads, with shared weights.

    Windows (25 B, 64) of ``stream`` to logits (B, 10). Initial weights are not the model's yet.
    """
    one = nn.Sequential(
        nn.Linear(64, 4 * 16, bias=False),
        _MaxOfFour(),
        nn.SiLU(),
        nn.Linear(25 * 16, 9 * 64, bias=False),
        nn.SiLU(),
        nn.Linear(9 * 64, 256, bias=False),
        nn.BatchNorm1d(256, affine=False),
        nn.SiLU(),
        nn.Linear(256, DIGITS, bias=False),
    )
    weights = list(one.parameters())
    for weight in weights:
        weight.data = weight.data.to(precision())
    return one, copy.deepcopy(one, {id(weight): weight for weight in weights})


def spreads() -> tuple[Tensor, Tensor]:
    """What unrolls the two convolutions: (36, 4 * 64) and (144, 9 * 400); see :func:`_spread`."""
    window = F.pixel_unshuffle(torch.eye(64).view(64, 1, 8, 8), 2)
    grid = torch.eye(25 * 16).view(25 * 16, 5, 5, 16).permute(0, 3, 1, 2)
    return _spread(window), _spread(grid)


def _spread(inputs: Tensor) -> Tensor:
    """Zeros and ones that make a 3x3 convolution a matrix: its weight (R, C) times this is (R, L P).

    Args:
        inputs: (P, I, H, W), each of the P inputs alone at 1.

    Returns:
        (C, L P) for C = 9 I values of the kernel and L places of it.
    """
    unfolded = F.unfold(inputs, 3)  # (P, C, L)
    return unfolded.permute(1, 2, 0).flatten(1).to(precision())


def precision() -> torch.dtype:
    """What is multiplied: bfloat16 where the processor gains from it, else float32."""
    return (
        torch.bfloat16 if environment.best_precision(torch.device("cpu")) == "bf16-mixed" else torch.float32
    )
