"""``mnist-adder export``."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from google.protobuf import text_format  # type: ignore[import-untyped]
from tests.cli.conftest import RunCLI
from tritonclient.grpc import model_config_pb2

from mnist_adder.data.images import DigitImages
from mnist_adder.inference import Predictor
from mnist_adder.inference.session import open_session
from mnist_adder.runs import Run


@pytest.fixture
def run(trained_run: Run, tmp_path: Path) -> Path:
    folder = shutil.copytree(trained_run.folder, tmp_path / "run")
    (folder / "model.onnx").unlink(missing_ok=True)
    return folder


def properties(path: Path) -> dict[str, str]:
    return {entry.key: entry.value for entry in onnx.load(path).metadata_props}


def test_a_run_gets_its_model_and_answers(run_cli: RunCLI, run: Path) -> None:
    code, out, _ = run_cli("export", str(run))
    assert code == 0
    assert f"Model: {run / 'model.onnx'}, " in out
    assert {"model", "mnist-adder", "results"} <= Predictor(run).metadata.keys()


def test_int8_beside_it(run_cli: RunCLI, run: Path, data: DigitImages) -> None:
    code, out, err = run_cli("export", str(run), "--int8")
    assert code == 0, err
    assert "model.int8.onnx" in out
    assert properties(run / "model.int8.onnx")["precision"] == "int8"
    exact, rough = Predictor(run), Predictor(run, int8=True)
    images = (data.test_images[:64].float() / 255).numpy()
    for count in (1, 2, 7, 64):
        numbers = np.arange(count) % 10
        ours, others = (one.predict_images(images[:count], numbers) for one in (rough, exact))
        np.testing.assert_allclose(ours.digit_probabilities, others.digit_probabilities, atol=0.2)
        assert (ours.sums == ours.digits + numbers).all()


def test_weights_of_the_package_go_to_the_working_directory(
    run_cli: RunCLI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, _ = run_cli("export", "default")
    assert code == 0
    assert out.startswith("Model: default.onnx, ")
    assert [path.name for path in tmp_path.iterdir()] == ["default.onnx"]
    open_session((tmp_path / "default.onnx").read_bytes(), "it")


def test_a_repository_for_triton(run_cli: RunCLI, run: Path, tmp_path: Path) -> None:
    for name in (str(run), "default"):
        code, out, _ = run_cli("export", name, "--to", "triton", "--out", str(tmp_path / "models"))
        assert code == 0
        assert "tritonserver --model-repository" in out
    for name in ("run", "default"):
        folder = tmp_path / "models" / name
        config = text_format.Parse((folder / "config.pbtxt").read_text(), model_config_pb2.ModelConfig())
        assert (config.name, config.backend, config.max_batch_size) == (name, "onnxruntime", 0)
        graph = onnx.load(folder / "1" / "model.onnx").graph
        for ours, theirs in ((config.input, graph.input), (config.output, graph.output)):
            assert [each.name for each in ours] == [each.name for each in theirs]
            for each, tensor in zip(ours, theirs, strict=True):
                axes = tensor.type.tensor_type.shape.dim
                assert list(each.dims) == [-1, *(axis.dim_value for axis in axes[1:])]
                kind = {1: "TYPE_FP32", 7: "TYPE_INT64"}[tensor.type.tensor_type.elem_type]
                assert model_config_pb2.DataType.Name(each.data_type) == kind


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["export", "nothing"], "There is no run folder nothing"),
        (["export", "default", "--out", "no/where/m.onnx"], "There is no folder no/where"),
        (["export", "default", "--to", "triton", "--out", "FILE"], "cannot be written"),
        (["export", "ODD", "--to", "triton"], "is no name for a model"),
    ],
)
def test_a_mistake_is_one_line(
    run_cli: RunCLI,
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    complaint: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("FILE").write_text("a file")
    shutil.copytree(run, "ODD NAME")
    code, _, err = run_cli(*[each.replace("ODD", "ODD NAME") for each in arguments])
    assert code == 2
    assert complaint in err
    assert err.startswith("mnist-adder: ")
