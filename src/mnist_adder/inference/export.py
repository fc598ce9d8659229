"""Exports a trained model as model.onnx, which runs without torch wherever ONNX is supported.

Batch normalisation is folded into the layers before it; then torch's older exporter traces the model, which
takes a fraction of the newer one's seconds. onnx's reference evaluator, OpenCV, OpenVINO and ONNX Runtime all
read the file and agree; see benchmarks/readers.py. Opset 17 is of 2022, so most programs support it.
"""

from __future__ import annotations

import copy
import json
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mnist_adder.errors import ModelError, RunError
from mnist_adder.inference.predictor import MODEL
from mnist_adder.inference.session import (
    INPUTS,
    OUTPUTS,
    TELLING_OUTPUTS,
    THRESHOLD,
    Values,
    append_checksum,
    open_session,
    run_session,
)
from mnist_adder.runs import load_run
from mnist_adder.safe_io import in_short, write_bytes
from mnist_adder.types import NUMBERS, SIDE

if TYPE_CHECKING:
    from torch import nn

    from mnist_adder.models import Adder
    from mnist_adder.runs import Run

OPSET = 17
"""Version of ONNX's operators in the file."""
CHECKED_PAIRS = (1, 2, 7, 64)
"""Batch sizes with which a file is checked; it is traced with two."""
TOLERANCE = 5e-5
"""The largest allowed difference between a probability and torch's."""

_LOOK = "Look for randomness, state or a fixed batch size in its forward."
_RESULTS = (
    "pairs",
    "joint_accuracy",
    "digit_accuracy",
    "sum_accuracy",
    "inconsistency",
    "parameters",
    "epochs",
    "best_epoch",
    "train_seconds",
)


def export_run(run: Run | str | Path, path: Path | None = None) -> Path:
    """Write the model.onnx of a finished run; returns its path.

    Args:
        run: a run, or its folder.
        path: the file; None is model.onnx in the run's folder.

    Raises:
        RunError: there is no such run, or its training did not end.
        ModelError: see :func:`export_onnx`.
    """
    opened = load_run(run) if isinstance(run, str | Path) else run
    path = opened.folder / MODEL if path is None else path
    export_onnx(opened.load_model(), path, metadata=describe(opened.results))
    return path


def describe(results: Mapping[str, Any]) -> dict[str, str]:
    """The metadata of model.onnx, from the content of results.json.

    Keys: ``model``, ``mnist-adder`` (its version), ``dataset``, ``seed``, ``commit`` and
    ``is_digit_threshold`` where there is one, and ``results``, a JSON object with ``joint_accuracy`` and
    others, as fractions.
    """
    return {
        "model": results["model"],
        "mnist-adder": results["versions"]["mnist-adder"],
        "dataset": results["dataset"],
        "seed": str(results["seed"]),
        **{key: str(results[key]) for key in ("commit", THRESHOLD) if results.get(key) is not None},
        "results": json.dumps({name: results[name] for name in _RESULTS}),
    }


def export_onnx(model: Adder, path: Path, *, metadata: Mapping[str, str]) -> None:
    """Write a model as ONNX, after checking that the file answers as torch does; the model is not changed.

    Inputs, N pairs: ``image`` float32 (N, 1, 28, 28) in [0, 1], ``number`` int64 (N,). Outputs: ``digit`` and
    ``sum`` int64 (N,), ``digit_probabilities`` float32 (N, 10), ``sum_probabilities`` float32 (N, 19), and
    if the metadata have ``is_digit_threshold``, ``is_digit_probability`` float32 (N,). The same weights and
    metadata give the same bytes.

    Args:
        model: trained, on any device, in any mode.
        path: the file, usually model.onnx of a run folder; its folder exists.
        metadata: see :func:`describe`.

    Raises:
        ModelError: ONNX has no operator for something the model does, its weights are not finite, or the
            file answers differently; nothing is then written.
        OSError: the file cannot be written.
    """
    tells = THRESHOLD in metadata
    network = _answering(model, tells)
    if not all(bool(values.isfinite().all()) for values in network.state_dict().values()):
        raise ModelError(f"{model.name()} has weights that are not finite: lower its learning rate.")
    outputs = TELLING_OUTPUTS if tells else OUTPUTS
    content = to_bytes(_trace(network, model.name(), outputs), metadata)
    try:
        _compare(network, content, model.name())
    except RunError as error:
        raise ModelError(f"{model.name()} cannot be written as ONNX: {error}") from None
    write_bytes(path, content)


def _answering(model: Adder, tells: bool) -> nn.Module:
    """A copy of the model, on the CPU in float32, with the outputs of the file: five if it tells digits."""
    import torch
    from torch import Tensor, nn

    class Answering(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = copy.deepcopy(model)

        def forward(self, image: Tensor, number: Tensor) -> tuple[Tensor, ...]:
            outputs = self.model(image, number)
            both = outputs.digit_logits.softmax(1), self.model.sum_probabilities(outputs)
            # OpenCV 4 returns random values where argmax drops the axis itself.
            digit, total = (probabilities.argmax(1, keepdim=True).view(-1) for probabilities in both)
            return digit, total, *both, *([self.model.is_digit_probability(outputs)] if tells else [])

    network = Answering().eval().to("cpu", torch.float32)
    return network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload, no-any-return]


def _trace(network: nn.Module, name: str, outputs: Values) -> Any:
    """The network as an ``onnx.ModelProto``, with batch normalisation folded and the promised shapes."""
    import onnx
    import torch
    from torch.onnx.errors import OnnxExporterError

    from mnist_adder.inference.fold import fold_batch_norm

    folded = copy.deepcopy(network)
    fold_batch_norm(folded)
    example = (torch.zeros(2, 1, SIDE, SIDE), torch.tensor([0, 1]))
    try:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of the exporter itself
            warnings.filterwarnings("ignore", "Constant folding", UserWarning)  # of what pads an image
            torch.onnx.export(
                folded,
                example,
                Path(folder) / MODEL,
                dynamo=False,
                opset_version=OPSET,
                input_names=list(INPUTS),
                output_names=list(outputs),
                dynamic_axes={key: {0: "N"} for key in (*INPUTS, *outputs)},
            )
            traced = onnx.load(Path(folder) / MODEL)
    except OnnxExporterError as error:
        raise ModelError(f"{name} cannot be written as ONNX: {in_short(error)}.") from None
    for value in traced.graph.output:  # tracing loses some widths
        for axis, size in zip(value.type.tensor_type.shape.dim[1:], outputs[value.name][1], strict=True):
            axis.dim_value = size
    # OpenCV 4 cannot infer shapes behind a pooling once an input of fewer than three axes has a named one.
    number = next(value for value in traced.graph.input if value.name == "number")
    number.type.tensor_type.shape.dim[0].ClearField("dim_param")
    return traced


def to_bytes(model: Any, metadata: Mapping[str, str]) -> bytes:
    """The file of an ``onnx.ModelProto``, with metadata and checksum."""
    import onnx

    onnx.helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model)
    return append_checksum(model.SerializeToString(deterministic=True))


def _compare(network: nn.Module, content: bytes, name: str) -> None:
    """Compare the file's answers with the network's; those that are near a tie may differ.

    Raises:
        ModelError: a probability differs by more than the tolerance, or an answer does.
    """
    import torch

    session = open_session(content, "its file")
    for count in CHECKED_PAIRS:
        images, numbers = _strokes(count), np.arange(count) % NUMBERS
        with torch.inference_mode(), torch.autocast("cpu", enabled=False):
            ours = [out.numpy() for out in network(torch.from_numpy(images), torch.from_numpy(numbers))]
        theirs = run_session(session, images, numbers, "its file")
        if (is_digit := theirs.is_digit_probability) is not None:
            difference = float(np.abs(ours[4] - is_digit).max())
            if not difference < TOLERANCE:  # NaN fails
                raise ModelError(
                    f"{name} answers differently as ONNX: is_digit_probability differs by up to "
                    f"{difference:.1g}, with {TOLERANCE:g} allowed. {_LOOK}"
                )
        clear = np.ones(count, dtype=np.bool_)
        for answer, probabilities in ((0, 2), (1, 3)):
            difference = float(np.abs(ours[probabilities] - theirs[probabilities])[clear].max(initial=0))
            second, first = np.sort(ours[probabilities])[:, -2:].T
            clear &= first - second > TOLERANCE  # the sum may depend on the digit
            others = int(((ours[answer] != theirs[answer]) & clear).sum())
            if not difference < TOLERANCE or others:  # NaN fails the first
                raise ModelError(
                    f"{name} answers differently as ONNX: of {count} pairs {others} have another "
                    f"{list(OUTPUTS)[answer]}, and probabilities differ by up to {difference:.1g}, with "
                    f"{TOLERANCE:g} allowed. {_LOOK}"
                )


def _strokes(count: int) -> NDArray[np.float32]:
    """Images (N, 1, 28, 28) of three straight strokes each, as wide as MNIST's; always the same."""
    ends = np.random.default_rng(0).uniform(4, SIDE - 4, (count, 3, 2, 2)).astype(np.float32)
    start, along = ends[:, :, 0, None, None], (ends[:, :, 1] - ends[:, :, 0])[:, :, None, None]
    pixels = np.moveaxis(np.indices((SIDE, SIDE), dtype=np.float32), 0, 2) - start  # (N, 3, 28, 28, 2)
    how_far = ((pixels * along).sum(4) / np.square(along).sum(4)).clip(0, 1)
    distance = np.linalg.norm(pixels - how_far[..., None] * along, axis=4)
    return np.asarray((2 - distance).clip(0, 1).max(axis=1)[:, None], dtype=np.float32)
