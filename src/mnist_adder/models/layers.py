"""Parts that several models share: reading the number, adding distributions, and a few layers."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mnist_adder.types import DIGITS, NUMBERS, SUMS

MEAN, STD = 0.1307, 0.3081  # of the pixels of MNIST's training images, in [0, 1]
_LOG_ZERO = -10_000.0  # stands for log 0: finite, yet its exponential is 0 beside any other

# What each of the ten numbers means, row by row. Looking it up is quicker than working it out for each pair,
# and in ONNX it is one plain operator.
_ONE_HOT = torch.eye(NUMBERS)
_VALUES = torch.arange(float(NUMBERS)).unsqueeze(1)


def _look_up(table: Tensor, numbers: Tensor) -> Tensor:
    """The rows of a table (10, ...) for integers (B,)."""
    rows = table.to(numbers.device)[numbers]
    return rows.view(-1, *table.shape[1:])  # OpenCV 4 adds an axis of 1 to what it looks up


def normalise(images: Tensor) -> Tensor:
    """Shift and scale images in [0, 1] so that MNIST's training pixels have mean 0 and deviation 1."""
    return (images - MEAN) / STD


def number_distribution(numbers: Tensor) -> Tensor:
    """Numbers as distributions (B, 10): integers (B,) become one-hot, distributions stay as they are."""
    return _look_up(_ONE_HOT, numbers) if numbers.dim() == 1 else numbers


def number_value(numbers: Tensor) -> Tensor:
    """Numbers as floats (B, 1): integers (B,) as they are, distributions (B, 10) by their mean."""
    if numbers.dim() == 1:
        return _look_up(_VALUES, numbers)
    return (numbers * _VALUES.to(numbers).squeeze(1)).sum(1, keepdim=True)


def _log_by_sum(number_probabilities: Tensor) -> Tensor:
    """(B, 10) to (B, 19, 10): log P(number = s - d) for each sum s and digit d."""
    known = number_probabilities > 0  # the logarithm of 0 stays out of the graph: it has no finite gradient
    number_log = torch.where(known, number_probabilities, 1.0).log()
    number_log = torch.where(known, number_log, _LOG_ZERO)
    padded = F.pad(number_log, (DIGITS - 1, DIGITS - 1), value=_LOG_ZERO)  # (B, 28): numbers -9..18
    sums = torch.arange(SUMS, device=padded.device).unsqueeze(1)
    digits = torch.arange(DIGITS, device=padded.device)
    return padded[:, sums - digits + DIGITS - 1]


_LOG_BY_SUM = _log_by_sum(_ONE_HOT)  # (10, 19, 10)


def add_distributions(digit_log_probabilities: Tensor, numbers: Tensor) -> Tensor:
    """The sum's log-probabilities: the distribution of digit + number for independent digit and number.

    ``P(sum = s) = sum over d of P(digit = d) * P(number = s - d)``, a convolution, in log space, where every
    value and gradient is finite. For a known number it is the digit's row, shifted, to the last bit.

    Args:
        digit_log_probabilities: (B, 10).
        numbers: (B,) integers 0..9, or (B, 10) float, a distribution over them.

    Returns:
        (B, 19) log-probabilities.
    """
    by_sum = _look_up(_LOG_BY_SUM, numbers) if numbers.dim() == 1 else _log_by_sum(numbers)
    values = digit_log_probabilities.view(-1, 1, DIGITS) + by_sum
    if not torch.onnx.is_in_onnx_export():
        return values.logsumexp(2)
    # Few programs read ONNX's ReduceLogSumExp. Spelled out, nothing overflows since no value is above 0, and
    # the smallest float32 keeps the logarithm finite. It rounds differently, so training does without.
    return (values.exp().sum(2) + torch.finfo(torch.float32).tiny).log()


def conv_relu(
    inputs: int, outputs: int, kernel: int = 3, *, padding: int = 0, bias: bool = True
) -> tuple[nn.Module, nn.Module]:
    """Convolution and ReLU, to be unpacked into a Sequential."""
    return nn.Conv2d(inputs, outputs, kernel, padding=padding, bias=bias), nn.ReLU()


def conv_block(
    inputs: int, outputs: int, kernel: int = 3, *, padding: int = 1, pool: bool = False
) -> nn.Module:
    """Convolution, pooling to half the size if wanted, batch normalisation, ReLU.

    Pooling comes before the cheap steps, so that they see a quarter of the values.
    """
    layers: list[nn.Module] = [nn.Conv2d(inputs, outputs, kernel, padding=padding, bias=False)]
    if pool:
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.BatchNorm2d(outputs), nn.ReLU())


class Repeated(nn.Module):
    """Residual steps that share one convolution, each with its own normalisation: depth for few weights."""

    def __init__(self, channels: int, times: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.normalisations = nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(times))

    def forward(self, features: Tensor) -> Tensor:
        """(B, channels, H, W) to the same."""
        for normalisation in self.normalisations:
            features = features + normalisation(self.convolution(features)).relu()
        return features


class Crop(nn.Module):
    """Leaves out the outer rows and columns, ``margin`` on each side."""

    def __init__(self, margin: int) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, H - 2 margin, W - 2 margin)."""
        inner = slice(self.margin, -self.margin)
        return images[..., inner, inner]


class FlattenChannelsLast(nn.Module):
    """(B, C, H, W) to (B, H W C): in channels-last memory a view, so that no gradient is reordered."""

    def forward(self, features: Tensor) -> Tensor:
        """Flatten all but the batch, channels varying fastest."""
        return features.permute(0, 2, 3, 1).flatten(1)
