"""Quantises a run's model.onnx to model.int8.onnx: the same inputs and outputs, 8-bit multiplications.

Weights become int8 with one scale for each output channel. Values between layers become uint8 with one scale,
from the smallest to the largest that the calibration images produce there. The file uses the standard
operators QuantizeLinear and DequantizeLinear around ordinary ones; ONNX Runtime fuses each such group into
one operator on integers.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mnist_adder.errors import ModelError
from mnist_adder.inference.export import to_bytes
from mnist_adder.inference.predictor import MODEL, MODEL_INT8, Predictor, check_images
from mnist_adder.safe_io import write_bytes
from mnist_adder.types import NUMBERS

if TYPE_CHECKING:
    from mnist_adder.runs import Run

CALIBRATION_IMAGES = 1024
"""The usual number of training images."""
AGREEMENT = 0.99
"""The smallest share of calibration images whose digit and sum must not change."""

_AT_ONCE = 64


def export_int8(run: Run | str | Path, images: NDArray[np.float32], path: Path | None = None) -> Path:
    """Write model.int8.onnx after checking its answers against model.onnx; returns its path.

    Convolutions are quantised, with the pooling between them, or the matrix products of a model that has no
    convolutions. The rest takes little time and stays float32. Weights use 7 of their 8 bits, so that
    processors which accumulate products in 16 bits (AVX2 without VNNI) do not overflow.

    Example::

        images = MNISTAdder(split="train").images[:1024] / 255  # (1024, 28, 28)
        export_int8("runs/exact-sum", images.numpy())

    Args:
        run: a run, or its folder, with a model.onnx.
        images: (N, 28, 28) float32 in [0, 1], N at least 1: training images, about CALIBRATION_IMAGES.
            Never test images, since the ranges of all values are taken from them.
        path: the file; None is model.int8.onnx in the run's folder.

    Raises:
        RunError: there is no such run, or it has no model.onnx that this package wrote.
        PictureError: the images have another shape, type or range.
        ModelError: too many answers change, see AGREEMENT; nothing is then written.
        OSError: the file cannot be written.
    """
    check_images(images)
    exact = Predictor(run)
    numbers = np.arange(len(images)) % NUMBERS
    about = {**exact.metadata, "precision": "int8", "calibration_images": str(len(images))}
    content = to_bytes(_quantise(exact.folder / MODEL, images, numbers), about)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / MODEL_INT8).write_bytes(content)
        quantised = Predictor(folder, int8=True)
    before, after = (predictor.predict_images(images, numbers) for predictor in (exact, quantised))
    same = int(((before.digits == after.digits) & (before.sums == after.sums)).sum())
    if same < AGREEMENT * len(images):
        raise ModelError(
            f"{exact.metadata['model']} cannot be quantised: {len(images) - same} of {len(images)} answers "
            f"change, with {1 - AGREEMENT:.0%} allowed. Use its {MODEL}."
        )
    path = exact.folder / MODEL_INT8 if path is None else path
    write_bytes(path, content)
    return path


def _quantise(path: Path, images: NDArray[np.float32], numbers: NDArray[np.int64]) -> Any:
    """The quantised onnx.ModelProto of a file."""
    import onnx
    from onnxruntime.quantization import (  # type: ignore[import-untyped]
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class Images(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            parts = (images[start : start + _AT_ONCE, None] for start in range(0, len(images), _AT_ONCE))
            self.inputs: Iterator[dict[str, NDArray[Any]]] = (
                {"image": part, "number": numbers[: len(part)]} for part in parts
            )

        def get_next(self) -> dict[str, NDArray[Any]] | None:
            return next(self.inputs, None)

    model = onnx.load(path)
    has_convolutions = any(node.op_type == "Conv" for node in model.graph.node)
    # Without this mark quantize_static logs the advice to simplify the model first.
    onnx.helper.set_model_props(model, {"onnx.quant.pre_process": "onnxruntime.quant"})
    with tempfile.TemporaryDirectory() as folder:
        exact, quantised = Path(folder) / MODEL, Path(folder) / MODEL_INT8
        onnx.save(model, exact)
        quantize_static(
            exact,
            quantised,
            Images(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Relu", *(["Conv", "MaxPool"] if has_convolutions else ["Gemm", "MatMul"])],
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,  # times int8: what processors have instructions for
            weight_type=QuantType.QInt8,
        )
        return onnx.load(quantised)
