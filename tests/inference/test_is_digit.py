"""A model that was taught to tell digits from other characters says so in its file and in its answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import helper
from onnx.reference import ReferenceEvaluator
from PIL import Image
from tests import telling
from tests.telling import Telling, export_telling

from mnist_adder.data.images import load_images
from mnist_adder.errors import ModelError, RunError
from mnist_adder.inference import Predictor, export_int8, export_onnx, write_repository
from mnist_adder.inference.preprocess import preprocess
from mnist_adder.inference.session import TELLING_OUTPUTS, append_checksum, open_session
from mnist_adder.models import Ensemble
from mnist_adder.models.ensemble import SHIFTS

THRESHOLD = {"is_digit_threshold": "0.5"}
IMAGES = load_images("digits").test_images[:150].float().reshape(-1, 1, 28, 28) / 255


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_telling(tmp_path_factory.mktemp("runs") / "telling")


@pytest.fixture(scope="module")
def predictor(folder: Path) -> Predictor:
    return Predictor(folder)


def test_the_file_has_one_output_more_if_the_metadata_have_a_threshold(folder: Path, tmp_path: Path) -> None:
    outputs = onnx.load(folder / "model.onnx").graph.output
    assert [value.name for value in outputs] == list(TELLING_OUTPUTS)
    last = outputs[-1].type.tensor_type
    assert (last.elem_type, [axis.dim_param for axis in last.shape.dim]) == (onnx.TensorProto.FLOAT, ["N"])
    export_onnx(Telling(), tmp_path / "model.onnx", metadata={})
    assert [value.name for value in onnx.load(tmp_path / "model.onnx").graph.output] == list(TELLING_OUTPUTS)[
        :4
    ]


@pytest.mark.parametrize("model", [Telling(), Ensemble([Telling(), Telling()], SHIFTS)])
def test_it_answers_like_torch_and_so_does_the_reference_evaluator(model: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    export_onnx(model, path, metadata=THRESHOLD)
    images, numbers = IMAGES[:7].clone(), torch.arange(7)
    images[::2, :, :12] = 0  # less high
    with torch.inference_mode():
        ours = model.is_digit_probability(model.eval()(images, numbers)).numpy()
    pairs = {"image": images.numpy(), "number": numbers.numpy()}
    sessions: list[Any] = [open_session(path.read_bytes(), "model"), ReferenceEvaluator(str(path))]
    for session in sessions:
        [theirs] = session.run(["is_digit_probability"], pairs)
        assert (theirs.dtype, theirs.shape) == (np.float32, (7,))
        np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-6)
    assert ours.min() < 0.9 < ours.max()


class Wavering(Telling):
    """Another log-sum-exp each time, with the same probabilities."""

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        self.asked = getattr(self, "asked", 0) + 1
        return super().encode(images) + self.asked


def test_a_file_that_would_tell_otherwise_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="differently as ONNX: is_digit_probability differs by up to 0"):
        export_onnx(Wavering(), tmp_path / "model.onnx", metadata=THRESHOLD)
    export_onnx(Wavering(), tmp_path / "model.onnx", metadata={})  # nobody asks


@pytest.mark.parametrize("threshold", ["", "x", "nan", "1.01", "-0.1", "inf"])
def test_a_threshold_that_is_none_is_refused(threshold: str, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"must be a number from 0 to 1, but it is '{threshold}'"):
        export_onnx(Telling(), tmp_path / "model.onnx", metadata={"is_digit_threshold": threshold})
    model = onnx.load(folder / "model.onnx")
    kept = [entry for entry in model.metadata_props if entry.key not in ("sha256", "is_digit_threshold")]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    (tmp_path / "model.onnx").write_bytes(append_checksum(model.SerializeToString()))
    with pytest.raises(RunError, match="'missing'") as caught:
        Predictor(tmp_path)
    assert "\n" not in str(caught.value)


def replace_output(model: Any, *nodes: Any) -> None:
    """Compute the output from what it was, "before"."""
    for node in model.graph.node:
        node.output[:] = ["before" if name == "is_digit_probability" else name for name in node.output]
    model.graph.node.extend(nodes)


def answer_nan(model: Any) -> None:
    zero = helper.make_node("Sub", ["before", "before"], ["zero"])
    replace_output(model, zero, helper.make_node("Div", ["zero", "zero"], ["is_digit_probability"]))


def answer_more_than_one(model: Any) -> None:
    more = helper.make_node("Exp", ["before"], ["more"])  # from 1 on
    replace_output(model, more, helper.make_node("Exp", ["more"], ["is_digit_probability"]))


def answer_less_than_none(model: Any) -> None:
    replace_output(model, helper.make_node("Neg", ["before"], ["is_digit_probability"]))


def answer_once(model: Any) -> None:
    replace_output(
        model, helper.make_node("ReduceMax", ["before"], ["is_digit_probability"], axes=[0], keepdims=1)
    )


def call_it_otherwise(model: Any) -> None:
    replace_output(model, helper.make_node("Neg", ["before"], ["other"]))
    model.graph.output[-1].name = "other"


def put_it_first(model: Any) -> None:
    outputs = [model.graph.output[place] for place in (4, 0, 1, 2, 3)]
    del model.graph.output[:]
    model.graph.output.extend(outputs)


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (answer_nan, "no digits, sums and probabilities"),
        (answer_more_than_one, "no digits, sums and probabilities"),
        (answer_less_than_none, "no digits, sums and probabilities"),
        (answer_once, "no digits, sums and probabilities|something else"),
        (call_it_otherwise, "something else: .* must have .*is_digit_probability"),
        (put_it_first, "something else"),
    ],
)
def test_an_output_that_is_no_probability_is_refused(
    edit: Callable[[Any], None], complaint: str, folder: Path, tmp_path: Path
) -> None:
    model = onnx.load(folder / "model.onnx")
    edit(model)
    (tmp_path / "model.onnx").write_bytes(append_checksum(model.SerializeToString()))
    with pytest.raises(RunError, match=complaint):
        Predictor(tmp_path)


@pytest.mark.parametrize(
    ("picture", "is_digit", "several"),
    [
        (telling.SEVEN, True, False),
        (telling.FOUR, True, False),
        (telling.DASH, False, False),
        (telling.NEAR, False, True),
        (telling.APART, False, True),
        (telling.SEVEN_AND_ROOF, True, False),
    ],
    ids=["7", "open 4", "dash", "7 7", "7  7", "7 and a roof"],
)
def test_a_picture_shows_a_digit_none_or_several(
    picture: Image.Image, is_digit: bool, several: bool, predictor: Predictor
) -> None:
    answer = predictor.predict(picture, 5)
    assert (answer.is_digit, answer.several) == (is_digit, several)
    assert answer.is_digit_probability is not None
    assert (answer.is_digit_probability >= 0.5) == (is_digit or picture is telling.APART)
    alone = predictor.predict_images(preprocess(picture)[None], [5])[0]
    assert alone.is_digit_probability == answer.is_digit_probability
    assert (answer.digit, answer.digit_probabilities) == (alone.digit, alone.digit_probabilities)


def test_a_model_that_cannot_tell_sees_several_only_in_what_is_left_out(tmp_path: Path) -> None:
    predictor = Predictor(export_telling(tmp_path / "silent", threshold=None))
    assert predictor.is_digit_threshold is None
    for picture in (telling.SEVEN, telling.FOUR, telling.DASH, telling.NEAR, telling.APART):
        answer = predictor.predict(picture, 5)
        assert answer.is_digit_probability is None
        assert answer.several == (picture is telling.APART) == (not answer.is_digit)


def test_many_are_told_like_each_alone(predictor: Predictor) -> None:
    images, numbers = IMAGES[:, 0].clone().numpy(), np.arange(150) % 10
    images[::3, :12] = 0  # less high
    answers = predictor.predict_images(images, numbers)
    probability = answers.is_digit_probability
    assert probability is not None
    assert (probability.dtype, answers.is_digit.dtype) == (np.dtype("f4"), np.dtype("?"))
    assert probability.shape == (150,)
    np.testing.assert_array_equal(answers.is_digit, probability >= 0.5)
    assert 20 < answers.is_digit.sum() < 130
    for row in (0, 1, 63, 64, 149):
        alone = predictor.predict_images(images[row : row + 1], numbers[row : row + 1])[0]
        assert alone.is_digit_probability == pytest.approx(probability[row], abs=1e-5)
        assert answers[row].is_digit == alone.is_digit


def test_eight_bits_tell_nearly_alike(folder: Path, predictor: Predictor, tmp_path: Path) -> None:
    images = IMAGES[:, 0].numpy()
    path = export_int8(folder, images, tmp_path / "model.int8.onnx")
    assert [value.name for value in onnx.load(path).graph.output] == list(TELLING_OUTPUTS)
    rough = Predictor(tmp_path, int8=True)
    assert rough.is_digit_threshold == 0.5
    ours, theirs = (one.predict_images(images, [0] * 150).is_digit_probability for one in (rough, predictor))
    assert ours is not None
    assert theirs is not None
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=0.02)


def test_triton_is_told_of_the_output(folder: Path, tmp_path: Path) -> None:
    silent = export_telling(tmp_path / "silent", threshold=None)
    for name, content in (("telling", folder), ("unable", silent)):
        made = write_repository((content / "model.onnx").read_bytes(), name, tmp_path)
        config = (made / "config.pbtxt").read_text()
        line = '{ name: "is_digit_probability", data_type: TYPE_FP32, dims: [-1] }'
        assert (line in config) == (name == "telling")
