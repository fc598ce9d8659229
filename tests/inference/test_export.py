"""model.onnx answers as torch does, and says what it is."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator
from torch import Tensor

from mnist_adder import models
from mnist_adder.data.images import load_images
from mnist_adder.errors import ModelError
from mnist_adder.inference import Predictor, export_onnx
from mnist_adder.inference.session import open_session
from mnist_adder.models import Adder, Ensemble
from mnist_adder.models.ensemble import SHIFTS, STILL
from mnist_adder.models.exact_sum import ExactSum
from mnist_adder.pretrained import names, pretrained_folder
from mnist_adder.runs import Run
from mnist_adder.types import Outputs

FIVE = Path(__file__).parents[2] / "examples" / "five.png"
KINDS = {onnx.TensorProto.FLOAT: "float32", onnx.TensorProto.INT64: "int64"}
Arrays = list[NDArray[Any]]


def make(name: str) -> Adder:
    """Random weights; where there is batch normalisation, its statistics are those of digits."""
    torch.manual_seed(0)
    model = models.get(name)()
    with torch.no_grad():
        for start in range(0, 192, 64):
            model(images(start, 64), torch.arange(64) % 10)
    return model.eval()


def images(start: int, count: int) -> Tensor:
    """Bundled test images (N, 1, 28, 28) in [0, 1]."""
    return load_images("digits").test_images[start : start + count].float().reshape(-1, 1, 28, 28) / 255


def by_torch(model: Adder, image: Tensor, number: Tensor) -> Arrays:
    with torch.inference_mode():
        outputs: Outputs = model(image, number)
        both = [outputs.digit_logits.softmax(1), model.sum_probabilities(outputs)]
    return [*(probabilities.argmax(1).numpy() for probabilities in both), *(p.numpy() for p in both)]


@pytest.fixture(scope="module", params=models.names())
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Adder, Path]:
    """Each model in turn, and its file."""
    model = make(request.param)
    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    export_onnx(model, path, metadata={"model": request.param})
    return model, path


def test_it_answers_like_torch_for_any_number_of_pairs(exported: tuple[Adder, Path]) -> None:
    model, path = exported
    session = open_session(path.read_bytes(), "model")
    for count in (1, 2, 7, 64):  # the last meets every number
        image, number = images(0, count), torch.arange(count) % 10
        ours = by_torch(model, image, number)
        theirs = session.run(None, {"image": image.numpy(), "number": number.numpy()})
        for mine, other in zip(ours, theirs, strict=True):
            assert (mine.dtype, mine.shape) == (other.dtype, other.shape)
        for answer, probabilities in ((0, 2), (1, 3)):
            np.testing.assert_allclose(theirs[probabilities], ours[probabilities], rtol=0, atol=1e-5)
            ordered = np.sort(ours[probabilities])
            tied = ordered[:, -1] - ordered[:, -2] < 1e-5
            assert ((ours[answer] == theirs[answer]) | tied).all()


def test_names_kinds_and_shapes_are_as_promised(exported: tuple[Adder, Path]) -> None:
    graph = onnx.load(exported[1]).graph

    def describe(values: Any) -> dict[str, tuple[str, list[Any]]]:
        tensors = {value.name: value.type.tensor_type for value in values}
        return {
            name: (
                KINDS[tensor.elem_type],
                [axis.dim_param or axis.dim_value or "any" for axis in tensor.shape.dim],
            )
            for name, tensor in tensors.items()
        }

    assert describe(graph.input) == {"image": ("float32", ["N", 1, 28, 28]), "number": ("int64", ["any"])}
    assert describe(graph.output) == {
        "digit": ("int64", ["N"]),
        "sum": ("int64", ["N"]),
        "digit_probabilities": ("float32", ["N", 10]),
        "sum_probabilities": ("float32", ["N", 19]),
    }


def test_it_is_one_standard_file_with_nothing_to_spare(exported: tuple[Adder, Path]) -> None:
    model, path = exported
    onnx.checker.check_model(path, full_check=True)
    written = onnx.load(path, load_external_data=False)
    nodes = [node for node in written.graph.node if node.op_type != "Constant"]
    constants = {tensor.name for tensor in written.graph.initializer}
    constants |= {name for node in written.graph.node if node.op_type == "Constant" for name in node.output}
    read = {name for node in nodes for name in node.input}
    assert [(entry.domain, entry.version) for entry in written.opset_import] == [("", 17)]
    assert {node.domain for node in written.graph.node} == {""}
    assert not {"BatchNormalization", "Dropout", "Identity", "If", "Loop"} & {node.op_type for node in nodes}
    assert not [node.name for node in nodes if set(node.input) <= constants], "not folded"
    assert constants <= read
    assert not written.graph.value_info
    assert not [tensor.name for tensor in written.graph.initializer if tensor.external_data]
    assert not [t.name for t in written.graph.initializer if t.data_type in (10, 16)], "half precision"
    assert path.stat().st_size < 4 * sum(value.numel() for value in model.state_dict().values()) + 25_000
    assert list(path.parent.iterdir()) == [path]


def test_the_number_is_looked_up(exported: tuple[Adder, Path]) -> None:
    graph = onnx.load(exported[1]).graph
    readers = [node for node in graph.node if "number" in node.input]
    assert {node.op_type for node in readers} == {"Gather"}


def test_the_reference_evaluator_answers_alike(exported: tuple[Adder, Path]) -> None:
    check_reference(exported[1])


@pytest.mark.parametrize("name", names())
def test_the_reference_evaluator_reads_the_weights_of_the_package(name: str) -> None:
    check_reference(pretrained_folder(name) / "model.onnx")


@pytest.mark.parametrize("shifts", [STILL, SHIFTS])
@pytest.mark.parametrize("name", ["exact-sum", "shared-trunk"])
def test_the_reference_evaluator_reads_an_ensemble(
    name: str, shifts: Sequence[tuple[int, int]], tmp_path: Path
) -> None:
    export_onnx(Ensemble([make(name), make(name)], shifts), tmp_path / "model.onnx", metadata={})
    check_reference(tmp_path / "model.onnx")


def check_reference(path: Path) -> None:
    """ONNX's own evaluator, which knows nothing but the standard, answers as ONNX Runtime does."""
    session, reference = open_session(path.read_bytes(), "model"), ReferenceEvaluator(str(path))
    for count in (1, 7):
        pairs = {"image": images(0, count).numpy(), "number": np.arange(count)}
        for ours, theirs in zip(session.run(None, pairs), reference.run(None, pairs), strict=True):
            assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
            np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-5)


def test_the_same_weights_give_the_same_bytes_and_stay_as_they_are(
    exported: tuple[Adder, Path], tmp_path: Path
) -> None:
    model, path = exported
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    random_state = torch.get_rng_state()
    model.train()
    for parameter in model.parameters():
        if parameter.dim() == 4:  # as training leaves them
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    export_onnx(model, tmp_path / "again", metadata={"model": model.name()})
    assert model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random_state)
    model.eval()
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_scores_far_from_zero_stay_finite(tmp_path: Path) -> None:
    model = make("binary-sum")
    with torch.no_grad():
        next(p for name, p in model.named_parameters() if name.startswith("sum_head")).mul_(1000)
        assert model(images(0, 64), torch.arange(64) % 10).sum_scores.abs().max() > 200
    export_onnx(model, tmp_path / "model.onnx", metadata={})
    answers = Predictor(tmp_path).predict_images(images(0, 64)[:, 0].numpy(), np.arange(64) % 10)
    np.testing.assert_allclose(answers.sum_probabilities.sum(axis=1), 1, atol=1e-5)


class Counting(ExactSum):
    """Answers differently each time it is asked."""

    def encode(self, images: Tensor) -> Tensor:
        self.asked = getattr(self, "asked", 0) + 1
        return super().encode(images) * self.asked


class Exotic(ExactSum):
    """Does what ONNX has no word for."""

    def encode(self, images: Tensor) -> Tensor:
        odd: Tensor = torch.special.bessel_j0(super().encode(images))
        return odd


class FixedBatch(ExactSum):
    """Knows by heart how many it was asked about first."""

    def encode(self, images: Tensor) -> Tensor:
        features = super().encode(images)
        return features + torch.arange(int(images.shape[0])).unsqueeze(1)


class Diverged(ExactSum):
    """What a learning rate that is too high leaves."""

    def __init__(self) -> None:
        super().__init__()
        torch.nn.init.constant_(next(self.parameters()), torch.nan)


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize(
    ("kind", "complaint"),
    [
        (Counting, "answers differently as ONNX"),
        (Exotic, "cannot be written as ONNX: .*bessel_j0"),
        (FixedBatch, "cannot be written as ONNX: its file"),
        (Diverged, "not finite"),
    ],
)
def test_what_cannot_be_trusted_is_not_written(kind: type[Adder], complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"as it was")
    with pytest.raises(ModelError, match=complaint) as caught:
        export_onnx(kind(), path, metadata={})
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == b"as it was"
    assert list(tmp_path.iterdir()) == [path]


def test_a_run_is_exported_with_what_is_known_about_it(run: Run) -> None:
    metadata = Predictor(run).metadata
    results = json.loads(metadata["results"])
    assert metadata["model"] == "exact-sum"
    assert metadata["dataset"] == "digits"
    assert metadata["seed"] == str(run.config.seed)
    assert metadata["mnist-adder"] == run.config.versions["mnist-adder"]
    assert metadata.get("commit") == run.config.commit
    assert results["joint_accuracy"] == run.results["joint_accuracy"]
    assert results["parameters"] == run.load_model().parameter_count()


def test_a_prediction_needs_neither_torch_nor_lightning_and_is_silent(run: Run) -> None:
    code = (
        "import sys; from mnist_adder import predict;"
        f"answer = predict({str(FIVE)!r}, 7, {str(run.folder)!r});"
        "heavy = {'torch', 'lightning', 'onnx', 'google', 'sklearn', 'scipy', 'matplotlib'};"
        "print(answer.number, sorted(heavy & {name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("7 []\n", "")
