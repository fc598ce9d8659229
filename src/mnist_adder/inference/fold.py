"""Folds batch normalisation into the layer before it, so that an exported network has less to compute.

In evaluation it is a scale and a shift of each channel, which the weights of a convolution or a linear layer
can include.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from mnist_adder.models.layers import Repeated


def fold_batch_norm(network: nn.Module) -> None:
    """Fold batch normalisation in every Sequential and Repeated of a network; its outputs change by rounding.

    Args:
        network: in evaluation mode; it is changed in place.
    """
    for name, child in network.named_children():
        fold_batch_norm(child)
        if isinstance(child, Repeated):
            setattr(network, name, _Residual(*(_fuse(child.convolution, n) for n in child.normalisations)))
        elif type(child) is nn.Sequential:
            setattr(network, name, nn.Sequential(*_fold(child)))


class _Residual(nn.Sequential):
    """Replaces Repeated: each step has a convolution of its own."""

    def forward(self, features: Tensor) -> Tensor:
        for convolution in self:
            features = features + convolution(features).relu()
        return features


def _fold(layers: Iterable[nn.Module]) -> list[nn.Module]:
    """The layers of a Sequential, with normalisations folded into the layers before them.

    Models pool before they normalise, since pooling leaves a quarter of the values. Here normalisation goes
    into the convolution before the pooling, which changes no maximum unless a scale is negative. ReLU moves
    there too, so that int8 computes convolution and ReLU as one.
    """
    folded: list[nn.Module] = []
    for layer in layers:
        pooled = bool(folded) and isinstance(folded[-1], nn.MaxPool2d)
        place = len(folded) - (2 if pooled else 1)
        before = folded[place] if place >= 0 else None
        if isinstance(layer, nn.ReLU) and pooled:
            folded.insert(-1, layer)
        elif (
            isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)
            and isinstance(before, nn.Conv2d | nn.Linear)
            and not (pooled and _has_negative_scale(layer))
        ):
            folded[place] = _fuse(before, layer)
        else:
            folded.append(layer)
    return folded


def _fuse(layer: Any, norm: Any) -> Any:
    """A copy of a convolution or linear layer with the normalisation folded in.

    torch's fuse_linear_bn_eval fails on a normalisation without a scale; this one takes linear layers too.
    """
    return fuse_conv_bn_eval(layer, norm)


def _has_negative_scale(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> bool:
    return norm.affine and bool((norm.weight < 0).any())
