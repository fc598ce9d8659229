"""The Open Inference Protocol, version 2 (https://github.com/kserve/open-inference-protocol), over HTTP.

Tensors come and go as JSON, or as Triton's extension for binary tensors has it: the JSON first, its length in
the header Inference-Header-Content-Length, then each tensor's bytes in row-major, little-endian order.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from mnist_adder.inference import Predictions
from mnist_adder.serving.errors import HTTPError
from mnist_adder.serving.limits import Limits
from mnist_adder.serving.models import Model
from mnist_adder.serving.requests import load_json
from mnist_adder.types import SIDE

HEADER = "inference-header-content-length"
"""Says how many bytes of a body are JSON, where tensors follow."""
VERSION = "1"
"""The one version of each model."""
EXTENSIONS = ["binary_tensor_data"]

_DTYPES: dict[str, Any] = {"FP32": np.dtype("<f4"), "INT64": np.dtype("<i8")}
INPUTS: dict[str, tuple[str, list[int]]] = {
    "image": ("FP32", [-1, 1, SIDE, SIDE]),
    "number": ("INT64", [-1]),
}


def metadata(model: Model) -> dict[str, Any]:
    """What a model takes and gives."""

    def tensor(name: str, datatype: str, shape: list[int]) -> dict[str, Any]:
        return {"name": name, "datatype": datatype, "shape": shape}

    return {
        "name": model.name,
        "versions": [VERSION],
        "platform": "onnxruntime_onnx",
        "inputs": [tensor(key, datatype, shape) for key, (datatype, shape) in INPUTS.items()],
        "outputs": [tensor(key, output.datatype, output.shape) for key, output in model.outputs.items()],
    }


def read(
    body: bytes, header_length: str | None, limits: Limits
) -> tuple[dict[str, Any], NDArray[np.float32], NDArray[np.int64]]:
    """An inference request -> its JSON, images (N, 28, 28) and numbers (N,).

    Raises:
        HTTPError: 422, it is malformed, or not what the metadata says; 413, it has too many pairs.
    """
    whole = memoryview(body)
    length = len(body)
    if header_length is not None:
        if not re.fullmatch("[0-9]{1,9}", header_length) or int(header_length) > len(body):
            raise HTTPError(
                422, f"{HEADER} is {header_length[:20]!r}, but must lie within the body's length."
            )
        length = int(header_length)
    request = load_json(whole[:length])
    inputs = request.get("inputs")
    if not isinstance(inputs, list) or not all(isinstance(each, dict) for each in inputs):
        raise HTTPError(422, "The inputs must be a list of objects.")
    tensors: dict[str, NDArray[Any]] = {}
    rest = whole[length:]
    for each in inputs:
        name = each.get("name")
        if not isinstance(name, str) or name not in INPUTS or name in tensors:
            raise HTTPError(
                422, f"The inputs must be image and number, each once; one is {str(name)[:40]!r}."
            )
        tensors[name], rest = _tensor(name, each, rest)
    if len(rest) or len(tensors) != len(INPUTS):
        raise HTTPError(
            422, "The inputs must be image and number, and their bytes all that follows the JSON."
        )
    images, numbers = tensors["image"], tensors["number"]
    if not 0 < len(images) == len(numbers):
        raise HTTPError(422, f"There are {len(images)} images and {len(numbers)} numbers; give one for each.")
    if len(images) > limits.pairs:
        raise HTTPError(413, f"There are {len(images):,} pairs, but at most {limits.pairs} are allowed.")
    return request, images[:, 0], numbers


def _tensor(name: str, given: Mapping[str, Any], binary: memoryview) -> tuple[NDArray[Any], memoryview]:
    """One input, from JSON or from the bytes that follow it, and what is left of these."""
    kind, wanted = INPUTS[name]
    shape = given.get("shape")
    if (
        given.get("datatype") != kind
        or not isinstance(shape, list)
        or len(shape) != len(wanted)
        or not all(type(size) is int and 0 <= size <= 2**20 for size in shape)
        or shape[1:] != wanted[1:]
    ):
        raise HTTPError(422, f"{name} must be {kind} of shape {wanted}, where -1 is the number of pairs.")
    parameters = given.get("parameters") or {}
    size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    if size is not None:
        if type(size) is not int or size != 4 * (1 + (kind == "INT64")) * int(np.prod(shape)):
            raise HTTPError(422, f"binary_data_size of {name} does not go with its shape.")
        if size > len(binary):
            raise HTTPError(422, f"The body ends before the bytes of {name}.")
        return np.frombuffer(binary[:size], _DTYPES[kind]).reshape(shape), binary[size:]
    return _from_list(name, kind, shape, given.get("data")), binary


def _from_list(name: str, kind: str, shape: list[int], data: Any) -> NDArray[Any]:
    """Data as JSON, flat or nested, of values that the type can hold."""
    try:
        array = np.array(data) if isinstance(data, list) else np.array(None)
    except (ValueError, OverflowError):  # ragged
        array = np.array(None)
    if array.dtype.kind not in ("i" if kind == "INT64" else "if") or array.size != int(np.prod(shape)):
        raise HTTPError(422, f"The data of {name} must be a list of {int(np.prod(shape))} numbers, {kind}.")
    with np.errstate(over="ignore"):  # infinite values are refused with all others out of range
        return array.astype(_DTYPES[kind]).reshape(shape)


def write(model: Model, request: Mapping[str, Any], answers: Predictions) -> tuple[bytes, dict[str, str]]:
    """The answer's body and headers; outputs as the request wants them, all of them if it names none.

    Raises:
        HTTPError: 422, it wants an output that there is not, or its id is no string.
    """
    outputs, tail = [], []
    for name, binary in _wanted(request, model.outputs):
        datatype = model.outputs[name].datatype
        value = getattr(answers, model.outputs[name].attribute)
        entry: dict[str, Any] = {"name": name, "datatype": datatype, "shape": value.shape}
        if binary:
            tail.append(value.astype(_DTYPES[datatype], copy=False).tobytes())
            entry["parameters"] = {"binary_data_size": len(tail[-1])}
        else:
            entry["data"] = value.ravel()
        outputs.append(entry)
    head: dict[str, Any] = {"model_name": model.name, "model_version": VERSION, "outputs": outputs}
    if "id" in request:
        if not isinstance(request["id"], str):
            raise HTTPError(422, "The id must be a string.")
        head["id"] = request["id"]
    content = orjson.dumps(head, option=orjson.OPT_SERIALIZE_NUMPY)
    if not tail:
        return content, {"content-type": "application/json"}
    return b"".join([content, *tail]), {
        "content-type": "application/octet-stream",
        HEADER: str(len(content)),
    }


def _wanted(request: Mapping[str, Any], outputs: Collection[str]) -> list[tuple[str, bool]]:
    """Of a model's outputs those a request wants, and whether as bytes."""
    every = _parameter(request, "binary_data_output")
    wanted = request.get("outputs")
    if wanted is None or wanted == []:
        return [(name, every) for name in outputs]
    found: dict[str, bool] = {}
    for each in wanted if isinstance(wanted, list) else [wanted]:
        name = each.get("name") if isinstance(each, dict) else None
        if not isinstance(each, dict) or not isinstance(name, str) or name not in outputs or name in found:
            raise HTTPError(422, f"The outputs must be among {', '.join(outputs)}, each once.")
        found[name] = _parameter(each, "binary_data", every)
    return list(found.items())


def _parameter(holder: Mapping[str, Any], name: str, default: bool = False) -> bool:
    parameters = holder.get("parameters")
    value = parameters.get(name, default) if isinstance(parameters, dict) else default
    return value is True
