"""Writes a Triton model repository: ``OUT/NAME/config.pbtxt`` and ``OUT/NAME/1/model.onnx``.

Serve it with ``tritonserver --model-repository OUT``. The config has ``max_batch_size: 0`` and the axis of
pairs in every shape, so that Triton and ``mnist-adder serve`` take the same requests; so Triton does not
batch requests itself.
"""

from __future__ import annotations

import re
from pathlib import Path

from mnist_adder.errors import RunError
from mnist_adder.inference.predictor import MODEL
from mnist_adder.inference.session import INPUTS, Values, open_session, outputs_of
from mnist_adder.safe_io import write_bytes, write_text

VERSION = "1"
"""The folder of the only version that is written."""
_KINDS = {"tensor(float)": "TYPE_FP32", "tensor(int64)": "TYPE_INT64"}


def write_repository(content: bytes, name: str, out: Path) -> Path:
    """Put a model into a model repository, which may hold others; returns the model's folder.

    Args:
        content: the bytes of a model.onnx or a model.int8.onnx.
        name: by which clients ask for it: letters, digits, ``.``, ``_`` and ``-``.
        out: the repository, which is created if there is none. A model of this name is replaced.

    Raises:
        RunError: the content is no model of ours, the name is not allowed, or the folder cannot be written.
    """
    outputs = outputs_of(open_session(content, name))
    if not re.fullmatch(r"[\w.-]+", name, re.ASCII) or set(name) <= {"."}:
        raise RunError(f"{name!r} is no name for a model: use letters, digits, '.', '_' and '-'.")
    folder = out / name
    try:
        (folder / VERSION).mkdir(parents=True, exist_ok=True)
        write_bytes(folder / VERSION / MODEL, content)
        write_text(folder / "config.pbtxt", _config(name, outputs))
    except OSError as error:
        raise RunError(f"{folder} cannot be written: {error.strerror}.") from None
    return folder


def _config(name: str, outputs: Values) -> str:
    """The model's description in protobuf's text form; see Triton's model_config.proto."""
    lines = [
        f'name: "{name}"',
        'backend: "onnxruntime"',
        "max_batch_size: 0  # each shape's first axis is the number of pairs",
        f"input [\n{_tensors(INPUTS)}\n]",
        f"output [\n{_tensors(outputs)}\n]",
    ]
    return "\n".join(lines) + "\n"


def _tensors(values: Values) -> str:
    return ",\n".join(
        f'  {{ name: "{name}", data_type: {_KINDS[kind]}, dims: {[-1, *shape]} }}'
        for name, (kind, shape) in values.items()
    )
