"""Opening a model.onnx and asking it: what it must look like, and what is refused.

Bytes of a file come in, an onnxruntime session goes out, for the predictor; export checks its work with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mnist_adder.errors import RunError
from mnist_adder.task import DIGITS, SIDE, SUMS

_Values: TypeAlias = "Mapping[str, tuple[str, list[int]]]"

INPUTS: _Values = {"image": ("tensor(float)", [1, SIDE, SIDE]), "number": ("tensor(int64)", [])}
"""What goes into model.onnx: name, type, and shape after the first axis, which is any number of pairs."""
OUTPUTS: _Values = {
    "digit": ("tensor(int64)", []),
    "sum": ("tensor(int64)", []),
    "digit_probabilities": ("tensor(float)", [DIGITS]),
    "sum_probabilities": ("tensor(float)", [SUMS]),
}
"""What comes out of it."""

HOW = "mnist-adder export RUN"
"""How a user gets a model.onnx; error messages end with it."""
# An entry of ONNX's external_data with the key "location", however its tag and length are encoded.
_OTHER_FILE = re.compile(rb"(\x0a|\x8a\x80*\x00)(\x08|\x88\x80*\x00)location")


def open_session(content: bytes, name: str) -> Any:
    """An onnxruntime session on a model with our inputs and outputs, on the processor; it prints nothing.

    It calculates on one thread, and several may ask it at a time.

    Args:
        content: the file's bytes. Nothing else is read: what refers to other files is refused.
        name: what messages call it.

    Raises:
        RunError: it is no ONNX file, a damaged one, or one with other inputs and outputs.
    """
    import onnxruntime  # type: ignore[import-untyped]

    if b"location" in content and _OTHER_FILE.search(content):
        raise RunError(f"{name} keeps weights in other files, which is not allowed. Make it anew: {HOW}.")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # errors are raised; nothing is written to standard error
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no common base
        reason = " ".join(str(error).split())[:200]
        raise RunError(f"{name} is no ONNX file, or a damaged one: {reason}. Make it anew: {HOW}.") from None
    _check_interface(session.get_inputs(), INPUTS, name)
    _check_interface(session.get_outputs(), OUTPUTS, name)
    return session


def ask(session: Any, images: NDArray[np.float32], numbers: NDArray[np.int64], name: str) -> list[Any]:
    """What :func:`open_session`'s model answers to images (N, 1, 28, 28) and numbers (N,); see OUTPUTS.

    Raises:
        RunError: the model breaks off, as a damaged one may.
    """
    try:
        answers: list[Any] = session.run(list(OUTPUTS), {"image": images, "number": numbers})
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise RunError(
            f"{name} does not answer {len(images)} pairs: {reason}. Make it anew: {HOW}."
        ) from None
    return answers


def _check_interface(values: Sequence[Any], wanted: _Values, name: str) -> None:
    """Refuse other names, types and shapes, and a number of pairs that is fixed."""
    found = {value.name: (value.type, value.shape[1:]) for value in values}
    if found != wanted or any(isinstance(value.shape[0], int) for value in values):
        has = ", ".join(f"{value.name} {value.type} {value.shape}" for value in values)
        must = ", ".join(f"{key} {kind} {['N', *shape]}" for key, (kind, shape) in wanted.items())
        raise RunError(f"{name} is the model of something else: it has {has[:300]}, but must have {must}.")
