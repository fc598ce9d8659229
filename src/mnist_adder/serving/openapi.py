"""What the OpenAPI document says of requests and answers, with examples.

Nothing comes in; dictionaries go out, for ``app`` to put beside its routes. Written by hand, because requests
are not read by FastAPI (see ``requests``); tests hold the service to it with schemathesis.
"""

from __future__ import annotations

from typing import Any

from mnist_adder.types import DIGITS, NUMBERS, SIDE, SUMS

ABOUT = (
    "A picture of a handwritten digit and a number go in; the digit and the sum come out. "
    "As JSON, as a form, or by the Open Inference Protocol."
)

_ONE = [[255 if 4 <= row < 24 and 13 <= column < 16 else 0 for column in range(SIDE)] for row in range(SIDE)]
_PNG = (  # the same as a picture, dark on white
    "iVBORw0KGgoAAAANSUhEUgAAABwAAAAcCAAAAABXZoBIAAAAI0lEQVR42mP8z4"
    "AbMDHQRJIFhcfIwPCf9naOSg4vScYBSLcAorcDN4+quK4AAAAASUVORK5CYII="
)


def _rows(least: int, most: int) -> dict[str, Any]:
    row = {"type": "array", "minItems": SIDE, "maxItems": SIDE, "items": _whole(least, most)}
    return {"type": "array", "minItems": SIDE, "maxItems": SIDE, "items": row}


def _whole(least: int, most: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": least, "maximum": most}


def _probabilities(count: int) -> dict[str, Any]:
    values = {"type": "number", "minimum": 0, "maximum": 1.0001}
    return {"type": "array", "minItems": count, "maxItems": count, "items": values}


_NUMBER = {**_whole(0, NUMBERS - 1), "description": "The number to add."}
_MODEL = {"type": "string", "description": "Which model answers, of those that /models lists."}
_IMAGE = {"type": "string", "format": "byte", "description": "A picture file in base64, or a data URL."}
_PIXELS = {
    **_rows(0, 255),
    "description": "28 rows of 28 grey values, ink bright: as the network takes them.",
}
_PAIR = {
    "type": "object",
    "required": ["number"],
    "properties": {"number": _NUMBER, "image": _IMAGE, "pixels": _PIXELS},
    "oneOf": [{"required": ["image"]}, {"required": ["pixels"]}],
}
_ANSWER = {
    "type": "object",
    "required": ["digit", "number", "sum", "digit_probabilities", "sum_probabilities", "seen", "model"],
    "properties": {
        "digit": _whole(0, DIGITS - 1),
        "number": _whole(0, NUMBERS - 1),
        "sum": _whole(0, SUMS - 1),
        "digit_probabilities": _probabilities(DIGITS),
        "sum_probabilities": _probabilities(SUMS),
        "seen": {**_rows(0, 255), "description": "The image as the network saw it."},
        "model": {"type": "string"},
    },
}
_EXAMPLE = {
    "digit": 1,
    "number": 7,
    "sum": 8,
    "digit_probabilities": [0.0, 0.999, 0.0, 0.0, 0.0, 0.0, 0.0, 0.001, 0.0, 0.0],
    "sum_probabilities": [0.0] * 8 + [0.999] + [0.0] * 5 + [0.001] + [0.0] * 4,
    "seen": _ONE,
    "model": "default",
}


def content(schema: dict[str, Any], **examples: Any) -> dict[str, Any]:
    """A JSON body."""
    shown = {"examples": {name: {"value": value} for name, value in examples.items()}} if examples else {}
    return {"application/json": {"schema": schema, **shown}}


def refusals(*statuses: int, word: str = "detail") -> dict[int | str, dict[str, Any]]:
    """The answers that are refusals; ``word`` is what their sentence is called."""
    schema = {"type": "object", "required": [word], "properties": {word: {"type": "string"}}}
    return {status: {"description": _REASONS[status], "content": content(schema)} for status in statuses}


_REASONS = {
    400: "The request is not whole.",
    404: "There is no such model, version or file.",
    408: "The body did not come in time.",
    413: "The body has too many bytes, a picture too many pixels, or there are too many pairs.",
    415: "Neither JSON nor a form, or a file that is no picture of a known kind.",
    422: "A number that is not one of 0..9, a blank picture, or a malformed request.",
    503: "Too much is asked at once; the header Retry-After says when to try again.",
}

PREDICT_REQUEST: dict[str, Any] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "anyOf": [
                    {**_PAIR, "properties": {**_PAIR["properties"], "model": _MODEL}},  # type: ignore[dict-item]
                    {
                        "type": "object",
                        "required": ["pairs"],
                        "properties": {
                            "pairs": {"type": "array", "minItems": 1, "maxItems": 256, "items": _PAIR},
                            "model": _MODEL,
                        },
                    },
                ]
            },
            "examples": {
                "pixels": {"value": {"number": 7, "pixels": _ONE}},
                "picture": {"value": {"number": 7, "image": _PNG}},
                "batch": {"value": {"pairs": [{"number": 7, "image": _PNG}, {"number": 2, "image": _PNG}]}},
            },
        },
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["image", "number"],
                "properties": {
                    "image": {"type": "string", "format": "binary"},
                    "number": _NUMBER,
                    "model": _MODEL,
                },
            },
        },
    },
}
PREDICT_ANSWER: dict[str, Any] = {
    "description": "The answer, or all of them for a list of pairs.",
    "content": content(
        {
            "anyOf": [
                _ANSWER,
                {
                    "type": "object",
                    "required": ["answers"],
                    "properties": {"answers": {"type": "array", "items": _ANSWER}},
                },
            ]
        },
        one=_EXAMPLE,
        batch={"answers": [_EXAMPLE, {**_EXAMPLE, "number": 2, "sum": 3}]},
    ),
}
MODELS_ANSWER: dict[str, Any] = {
    "description": "All models that answer, the default first.",
    "content": content(
        {"type": "object", "required": ["models", "default"]},
        one={
            "models": [
                {
                    "name": "default",
                    "model": "exact-sum",
                    "parameters": 90634,
                    "joint_accuracy": 0.9956,
                    "dataset": "mnist",
                }
            ],
            "default": "default",
        },
    ),
}
SAMPLE_ANSWER: dict[str, Any] = {
    "description": "A handwritten digit.",
    "content": content(
        {
            "type": "object",
            "required": ["pixels", "digit", "source"],
            "properties": {
                "pixels": _rows(0, 255),
                "digit": _whole(0, DIGITS - 1),
                "source": {"type": "string"},
            },
        },
        one={"pixels": _ONE, "digit": 1, "source": "MNIST test images"},
    ),
}
_TENSOR = {"type": "object", "required": ["name", "shape", "datatype"]}
INFER_REQUEST: dict[str, Any] = {
    "required": True,
    "content": content(
        {
            "type": "object",
            "required": ["inputs"],
            "properties": {
                "id": {"type": "string"},
                "inputs": {"type": "array", "minItems": 2, "maxItems": 2, "items": _TENSOR},
            },
        },
        one={
            "inputs": [
                {
                    "name": "image",
                    "datatype": "FP32",
                    "shape": [1, 1, SIDE, SIDE],
                    "data": [value // 255 for row in _ONE for value in row],
                },
                {"name": "number", "datatype": "INT64", "shape": [1], "data": [7]},
            ]
        },
    ),
}
INFER_ANSWER: dict[str, Any] = {
    "description": "The outputs asked for, or all.",
    "content": {
        **content({"type": "object", "required": ["model_name", "model_version", "outputs"]}),
        "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
    },
}
