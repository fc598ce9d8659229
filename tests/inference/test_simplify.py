"""The graph in the file does less than the traced one, and answers the same.

That export_onnx compares all answers with torch's is what shows the latter; here is the former.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from torch import Tensor, nn

from mnist_adder import models
from mnist_adder.inference import export_onnx
from mnist_adder.models import Adder
from mnist_adder.models.exact_sum import ExactSum
from mnist_adder.types import Outputs


class Pooled(ExactSum):
    """Convolution, pooling, normalisation, ReLU: what :func:`simplify` puts in another order."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.norm = nn.BatchNorm2d(4)
        self.before = nn.Sequential(nn.Conv2d(1, 4, 3), nn.MaxPool2d(2))
        self.classifier = nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Linear(4 * 13 * 13, 10))
        with torch.no_grad():
            for values in (self.norm.weight, self.norm.running_var):
                nn.init.uniform_(values, 0.5, 2)  # type: ignore[arg-type]
            for values in (self.norm.bias, self.norm.running_mean):
                nn.init.normal_(values)  # type: ignore[arg-type]

    def encode(self, images: Tensor) -> Tensor:
        features: Tensor = self.classifier(self.norm(self.before(images)))
        return features


class Upturned(Pooled):
    """One scale is negative: the greatest becomes the least."""

    def __init__(self) -> None:
        super().__init__()
        with torch.no_grad():
            self.norm.weight[1] = -1


class ReadTwice(Pooled):
    """What is normalised is also read as it is."""

    def encode(self, images: Tensor) -> Tensor:
        pooled = self.before(images)
        features: Tensor = self.classifier(self.norm(pooled)) + pooled.mean((1, 2, 3)).unsqueeze(1)
        return features


class Relative(ExactSum):
    """Reads a number beside the others that are asked about, so that ten rows cannot hold what it reads."""

    def combine(self, features: Tensor, numbers: Tensor) -> Outputs:
        outputs = super().combine(features, numbers)
        values = numbers.float()
        return Outputs(outputs.digit_logits, outputs.sum_scores + (values - values.mean()).unsqueeze(1))


def graph_of(model: Adder, folder: Path) -> Any:
    export_onnx(model, folder / "model.onnx", metadata={})
    return onnx.load(folder / "model.onnx").graph


@pytest.mark.parametrize("name", models.names())
def test_the_number_is_looked_up(name: str, tmp_path: Path) -> None:
    graph = graph_of(models.get(name)(), tmp_path)
    readers = [node for node in graph.node if "number" in node.input]
    sizes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    assert readers
    for node in readers:
        assert node.op_type == "Gather"
        assert sizes[node.input[0]][0] == 10


def test_a_number_that_is_read_beside_others_is_not_looked_up(tmp_path: Path) -> None:
    graph = graph_of(Relative(), tmp_path)
    assert "ReduceMean" in {node.op_type for node in graph.node}


@pytest.mark.parametrize(("kind", "left"), [(Pooled, 0), (Upturned, 1), (ReadTwice, 1)])
def test_normalising_goes_into_the_convolution_where_it_may(
    kind: type[Adder], left: int, tmp_path: Path
) -> None:
    kinds = [node.op_type for node in graph_of(kind(), tmp_path).node]
    assert kinds.count("BatchNormalization") == left
    assert (kinds.index("Relu") < kinds.index("MaxPool")) == (left == 0)


def test_nothing_is_left_over(tmp_path: Path) -> None:
    graph = graph_of(Pooled(), tmp_path)
    read = {name for node in graph.node for name in node.input}
    assert {tensor.name for tensor in graph.initializer} <= read
    assert not graph.value_info
