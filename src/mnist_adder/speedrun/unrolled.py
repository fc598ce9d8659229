"""The network ``fast`` as matrix products alone: its convolutions are unrolled.

On so few pixels a convolution is quicker as one large matrix product, its kernel repeated for every position:
more than half of the multiplications are by zero, but the processor's matrix unit has done all of them before
a convolution has arranged its inputs. The gradient of a kernel is the sum over its positions.

Shapes: B images, each of 25 patches (5x5 positions after pooling).
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mnist_adder import environment
from mnist_adder.types import DIGITS


class _MaxOfFour(nn.Module):
    """The pooling after the unrolled first convolution: (25 B, 4 * 16) to (B, 25 * 16)."""

    def forward(self, outputs: Tensor) -> Tensor:
        """The largest of each patch's four positions, which ``max_pool2d`` sees as a row of pixels."""
        rows = outputs.view(-1, 1, 4, 16).permute(0, 3, 1, 2)  # channels-last (25 B, 16, 1, 4)
        return F.max_pool2d(rows, (1, 4)).permute(0, 2, 3, 1).reshape(-1, 25 * 16)


def replicas(dtype: torch.dtype) -> tuple[nn.Module, nn.Module]:
    """The unrolled network twice, for two threads: the weights are shared, batch statistics are not.

    It turns patches (25 B, 64), see :func:`~mnist_adder.speedrun.stream.extract_patches`, into logits
    (B, 10). The weights are of ``dtype``, and still have to be set to the model's.
    """
    network = nn.Sequential(
        nn.Linear(64, 4 * 16, bias=False),  # 3x3 over cells of 2x2 pixels, at 2x2 positions of the patch
        _MaxOfFour(),
        nn.SiLU(),
        nn.Linear(25 * 16, 9 * 64, bias=False),  # 3x3 over 5x5, at 3x3 positions
        nn.SiLU(),
        nn.Linear(9 * 64, 256, bias=False),
        nn.BatchNorm1d(256, affine=False),
        nn.SiLU(),
        nn.Linear(256, DIGITS, bias=False),
    )
    weights = list(network.parameters())
    for weight in weights:
        weight.data = weight.data.to(dtype)
    return network, copy.deepcopy(network, {id(weight): weight for weight in weights})


def unrollings(dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """What unrolls the kernels of the two convolutions: (36, 4 * 64) and (144, 9 * 400).

    See :func:`_unrolling`.
    """
    patch = F.pixel_unshuffle(torch.eye(64).view(64, 1, 8, 8), 2)
    grid = torch.eye(25 * 16).view(25 * 16, 5, 5, 16).permute(0, 3, 1, 2)
    return _unrolling(patch).to(dtype), _unrolling(grid).to(dtype)


def _unrolling(inputs: Tensor) -> Tensor:
    """Zeros and ones that turn the kernel (R, C) of a 3x3 convolution into a matrix (R, L P), by a product.

    Args:
        inputs: (P, I, H, W): each of the P inputs alone at 1.

    Returns:
        (C, L P) for C = 9 I values of the kernel and its L positions.
    """
    unfolded = F.unfold(inputs, 3)  # (P, C, L)
    return unfolded.permute(1, 2, 0).flatten(1)


def best_dtype() -> torch.dtype:
    """What to multiply in: bfloat16 where the processor is quicker in it, else float32."""
    bfloat16 = environment.best_precision(torch.device("cpu")) == "bf16-mixed"
    return torch.bfloat16 if bfloat16 else torch.float32
