"""Folding batch normalisation leaves fewer layers and the same answers."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from mnist_adder import models
from mnist_adder.inference.fold import fold_batch_norm
from mnist_adder.models.layers import Repeated, conv_block

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
IMAGES = torch.rand(8, 1, 28, 28, generator=torch.Generator().manual_seed(0))


class Network(nn.Module):
    """Some layers, with random weights and statistics."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        torch.manual_seed(0)
        for norm in self.modules():
            if isinstance(norm, NORMS):
                for values in (norm.running_var, *([norm.weight] if norm.affine else [])):
                    nn.init.uniform_(values, 0.5, 2)  # type: ignore[arg-type]
                for values in (norm.running_mean, *([norm.bias] if norm.affine else [])):
                    nn.init.normal_(values)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> Tensor:
        outputs: Tensor = self.layers(images)
        return outputs


def kinds(network: nn.Module) -> list[str]:
    """The layers without parts, in order."""
    return [type(module).__name__ for module in network.modules() if not any(module.children())]


def folded(network: nn.Module) -> nn.Module:
    """A folded copy, which was seen to answer alike and to leave the weights of the network as they were."""
    network.eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    result = copy.deepcopy(network)
    fold_batch_norm(result)
    with torch.no_grad():
        torch.testing.assert_close(result(IMAGES), network(IMAGES), rtol=1e-4, atol=1e-5)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    return result


@pytest.mark.parametrize(
    ("layers", "left"),
    [
        ([nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)], ["Conv2d"]),
        ([conv_block(1, 4)], ["Conv2d", "ReLU"]),
        ([conv_block(1, 4, pool=True)], ["Conv2d", "ReLU", "MaxPool2d"]),
        ([nn.Sequential(conv_block(1, 4)), conv_block(4, 4)], ["Conv2d", "ReLU", "Conv2d", "ReLU"]),
        ([conv_block(1, 4), Repeated(4, 3)], ["Conv2d", "ReLU", *3 * ["Conv2d"]]),
        ([nn.Flatten(), nn.Linear(784, 8), nn.BatchNorm1d(8, affine=False)], ["Flatten", "Linear"]),
        ([nn.BatchNorm2d(1), nn.Conv2d(1, 4, 3)], ["BatchNorm2d", "Conv2d"]),
        ([nn.Conv2d(1, 4, 3), nn.ReLU(), nn.BatchNorm2d(4)], ["Conv2d", "ReLU", "BatchNorm2d"]),
        ([nn.MaxPool2d(2), nn.BatchNorm2d(1)], ["MaxPool2d", "BatchNorm2d"]),
    ],
)
def test_what_a_layer_before_it_can_do_is_folded(layers: list[nn.Module], left: list[str]) -> None:
    assert kinds(folded(Network(*layers))) == left


def test_behind_a_pooling_a_negative_scale_keeps_it() -> None:
    network = Network(conv_block(1, 4, pool=True))
    with torch.no_grad():  # the greatest value becomes the least
        next(norm for norm in network.modules() if isinstance(norm, nn.BatchNorm2d)).weight[1] = -1
    assert kinds(folded(network)) == ["Conv2d", "MaxPool2d", "BatchNorm2d", "ReLU"]


def test_a_layer_that_is_used_twice_gets_two_copies() -> None:
    shared = nn.Conv2d(1, 1, 3)
    network = folded(Network(nn.Sequential(shared, nn.BatchNorm2d(1)), nn.Sequential(shared)))
    assert kinds(network) == ["Conv2d", "Conv2d"]


@pytest.mark.parametrize("name", models.names())
def test_no_model_has_any_left(name: str) -> None:
    network = models.build(name)
    fold_batch_norm(network.eval())
    assert not [module for module in network.modules() if isinstance(module, NORMS)]
