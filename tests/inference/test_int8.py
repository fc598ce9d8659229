"""model.int8.onnx answers like model.onnx, in 8 bits, or is not written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mnist_adder.data.images import load_images
from mnist_adder.errors import ModelError, PictureError, RunError
from mnist_adder.inference import Predictor, export_int8, export_onnx
from mnist_adder.models.exact_sum import ExactSum
from mnist_adder.runs import Run

INT8 = onnx.TensorProto.INT8


def pixels(images: Tensor) -> NDArray[np.float32]:
    return (images.float().reshape(-1, 28, 28) / 255).numpy()


@pytest.fixture(scope="module")
def training() -> NDArray[np.float32]:
    return pixels(load_images("digits").train_images[:256])


def int8_weights(path: Path) -> dict[str, list[bool]]:
    """For each kind of operator with weights: whether those are int8, node by node."""
    graph = onnx.load(path).graph
    kinds = {tensor.name: tensor.data_type for tensor in graph.initializer}
    unpacked = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "DequantizeLinear"}
    found: dict[str, list[bool]] = {}
    for node in graph.node:
        if node.op_type in ("Conv", "Gemm"):
            weight = unpacked.get(node.input[1], node.input[1])
            found.setdefault(node.op_type, []).append(kinds[weight] == INT8)
    return found


def test_it_answers_alike_on_images_it_was_not_made_with(run: Run, training: NDArray[np.float32]) -> None:
    path = export_int8(run, training)
    assert path == run.folder / "model.int8.onnx"
    exact, rough = Predictor(run), Predictor(run, int8=True)
    images = pixels(load_images("digits").test_images)
    numbers = np.arange(len(images)) % 10
    ours, theirs = rough.predict_images(images, numbers), exact.predict_images(images, numbers)
    assert (ours.digits == theirs.digits).mean() > 0.98
    np.testing.assert_array_equal(ours.sums, ours.digits + numbers)
    off = np.abs(ours.digit_probabilities - theirs.digit_probabilities)
    assert 0 < off.mean() < 0.01
    assert {**rough.metadata} == {**exact.metadata, "precision": "int8", "calibration_images": "256"}


def test_every_convolution_multiplies_in_eight_bits(run: Run, training: NDArray[np.float32]) -> None:
    kinds = int8_weights(export_int8(run, training))
    assert all(kinds["Conv"])
    assert not any(kinds["Gemm"])


def test_the_same_images_give_the_same_bytes_and_a_path_may_be_named(
    run: Run, training: NDArray[np.float32], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "first.onnx", tmp_path / "second.onnx"
    assert export_int8(run, training, first) == first
    export_int8(str(run.folder), training, second)
    assert first.read_bytes() == second.read_bytes()
    assert not (run.folder / "model.int8.onnx").exists()
    assert capfd.readouterr() == ("", "")


class Nearest(ExactSum):
    """The digit whose mean image is nearest: one matrix product, no convolution."""

    def __init__(self) -> None:
        super().__init__()
        data = load_images("digits")
        flat = data.train_images.float().reshape(len(data.train_images), -1) / 255
        means = torch.stack([flat[data.train_digits == digit].mean(0) for digit in range(10)])
        layer = nn.Linear(784, 10)
        layer.load_state_dict({"weight": means, "bias": -means.square().sum(1) / 2})
        self.classifier = nn.Sequential(nn.Flatten(), layer)

    def encode(self, images: Tensor) -> Tensor:
        features: Tensor = self.classifier(images)
        return features


def test_without_convolutions_the_matrix_products_are_quantised(
    training: NDArray[np.float32], tmp_path: Path
) -> None:
    export_onnx(Nearest(), tmp_path / "model.onnx", metadata={"model": "nearest"})
    assert int8_weights(export_int8(tmp_path, training)) == {"Gemm": [True]}


def test_a_model_that_does_not_bear_it_is_left_as_it_is(run: Run, training: NDArray[np.float32]) -> None:
    model = run.load_model()
    convolutions = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
    norm = next(module for module in model.modules() if isinstance(module, nn.BatchNorm2d))
    with torch.no_grad():  # one channel dwarfs the others, so that one scale for all leaves nothing of them
        norm.weight[0], norm.bias[0] = 1e6, 1e6
        convolutions[1].weight[:, 0] = 0
    export_onnx(model, run.folder / "model.onnx", metadata={"model": "lopsided"})
    with pytest.raises(ModelError, match=r"^lopsided cannot be quantised: \d+ of 256 answers change"):
        export_int8(run, training)
    assert not (run.folder / "model.int8.onnx").exists()


def test_what_is_missing_or_unfit_is_said(run: Run, training: NDArray[np.float32], tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"has no model\.int8\.onnx.*export RUN --int8"):
        Predictor(run, int8=True)
    with pytest.raises(RunError, match="There is no run folder"):
        export_int8(tmp_path / "none", training)
    with pytest.raises(PictureError, match="divide by 255"):
        export_int8(run, training * 255)
    (run.folder / "model.onnx").unlink()
    with pytest.raises(RunError, match=r"has no model\.onnx"):
        export_int8(run, training)
