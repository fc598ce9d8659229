"""Opens a model.onnx with ONNX Runtime and runs it; refuses files that are damaged or harmful.

A file ends in its own checksum, written as one more entry of its metadata, which readers of ONNX ignore: a
flipped bit in the weights would otherwise go unnoticed. It does not protect against somebody who changes a
file on purpose and appends a new one. Therefore memory is limited, operators that may run for ever are
refused, the session is tried once, and every output is checked.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mnist_adder.errors import RunError
from mnist_adder.safe_io import in_short
from mnist_adder.types import DIGITS, SIDE, SUMS

Values: TypeAlias = "Mapping[str, tuple[str, list[int]]]"

INPUTS: Values = {"image": ("tensor(float)", [1, SIDE, SIDE]), "number": ("tensor(int64)", [])}
"""Name, type and shape of the inputs of model.onnx, without the first axis, the number of pairs."""
OUTPUTS: Values = {
    "digit": ("tensor(int64)", []),
    "sum": ("tensor(int64)", []),
    "digit_probabilities": ("tensor(float)", [DIGITS]),
    "sum_probabilities": ("tensor(float)", [SUMS]),
}
"""The same for its outputs."""
TELLING_OUTPUTS: Values = {**OUTPUTS, "is_digit_probability": ("tensor(float)", [])}
"""Those of a model that was taught to tell digits from other characters."""
THRESHOLD = "is_digit_threshold"
"""The key of such a model's metadata: from which probability on it is a digit."""

HOW = "mnist-adder export RUN"
"""The command that writes a model.onnx; error messages end with it."""
MEMORY_BYTES = 1_000_000_000
"""The most that all models of a process may allocate; our largest needs a few megabytes a thread."""

# Protobuf, however tag and length are encoded: the key "location" of ONNX's external_data, and operators that
# repeat others.
_OTHER_FILE = re.compile(rb"(\x0a|\x8a\x80*\x00)(\x08|\x88\x80*\x00)location")
_REPETITION = re.compile(rb"(\x22|\xa2\x80*\x00)(\x04|\x84\x80*\x00)(Loop|Scan)")
# An entry of ONNX's metadata_props, field 14, as protobuf writes it: the key sha256 and 64 letters of value.
_CHECKSUM = b"\x72\x4a\x0a\x06sha256\x12\x40"
_CHECKSUM_LENGTH = len(_CHECKSUM) + 64
_MOST = 1.00001  # ONNX Runtime's sigmoid rounds above 1
_ALL_DIGITS, _ALL_SUMS = frozenset(range(DIGITS)), frozenset(range(SUMS))


class Answers(NamedTuple):
    """The outputs of a model for N pairs."""

    digit: NDArray[np.int64]  # (N,) 0..9
    sum: NDArray[np.int64]  # (N,) 0..18
    digit_probabilities: NDArray[np.float32]  # (N, 10), rows add up to 1
    sum_probabilities: NDArray[np.float32]  # (N, 19), rows add up to 1
    is_digit_probability: NDArray[np.float32] | None = None  # (N,) in [0, 1]; None: the model cannot tell


def append_checksum(content: bytes) -> bytes:
    """Add the checksum to the bytes of an ONNX file that has none."""
    return content + _CHECKSUM + hashlib.sha256(content).hexdigest().encode()


def check_checksum(content: bytes, name: str) -> None:
    """Check that a file has not changed since it was written.

    Raises:
        RunError: it has no checksum, or a wrong one.
    """
    body, digest = content[:-_CHECKSUM_LENGTH], content[-_CHECKSUM_LENGTH:]
    if not digest.startswith(_CHECKSUM):
        raise RunError(
            f"{name} is no ONNX file of mnist-adder, or a damaged one: it does not end in its checksum. "
            f"Write it again: {HOW}."
        )
    if append_checksum(body) != content:
        raise RunError(f"{name} is damaged: its checksum is wrong. Write it again: {HOW}.")


def open_session(content: bytes, name: str) -> Any:
    """Open a model with our inputs and outputs on the CPU, without printing anything.

    The session computes on one thread; several threads may run it at once.

    Args:
        content: the file's bytes. A model that refers to other files is refused.
        name: of the file, for error messages.

    Raises:
        RunError: it is no ONNX file, damaged, harmful, has other inputs and outputs, or lacks the threshold
            of is_digit_probability.
    """
    import onnxruntime  # type: ignore[import-untyped]

    if b"location" in content and _OTHER_FILE.search(content):
        raise RunError(f"{name} keeps weights in other files, which is not allowed. Write it again: {HOW}.")
    if _REPETITION.search(content):
        raise RunError(f"{name} repeats operators in a loop, which is not allowed. Write it again: {HOW}.")
    _limit_memory()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # errors are raised; nothing is written to standard error
    options.add_session_config_entry("session.load_model_format", "ONNX")
    options.add_session_config_entry("session.use_env_allocators", "1")  # see _limit_memory
    try:
        session = onnxruntime.InferenceSession(
            content,
            options,
            providers=["CPUExecutionProvider"],
            enable_fallback=0,  # another try, announced on standard output
        )
        _check_interface(session.get_inputs(), INPUTS, name)
        _check_interface(session.get_outputs(), outputs_of(session), name)
        _ = session.get_modelmeta().custom_metadata_map  # fails where it is no text
        threshold_of(session, name)
    except RunError:
        raise
    except Exception as error:  # onnxruntime's errors have no common base
        raise RunError(
            f"{name} is no ONNX file, or a damaged one: {in_short(error)}. Write it again: {HOW}."
        ) from None
    run_session(session, np.zeros((2, 1, SIDE, SIDE), np.float32), np.arange(2), name)
    return session


def outputs_of(session: Any) -> Values:
    """The outputs that a session has to have: TELLING_OUTPUTS if it has as many, else OUTPUTS."""
    return TELLING_OUTPUTS if len(session.get_outputs()) == len(TELLING_OUTPUTS) else OUTPUTS


def threshold_of(session: Any, name: str) -> float | None:
    """The least probability in [0, 1] of what is taken for a digit; None if the model cannot tell.

    Raises:
        RunError: it can, but its metadata have no such number. ``name`` is the file's, for this message.
    """
    if "is_digit_probability" not in outputs_of(session):
        return None
    text = session.get_modelmeta().custom_metadata_map.get(THRESHOLD, "missing")
    with contextlib.suppress(ValueError):
        if 0 <= (threshold := float(text)) <= 1:
            return threshold
    raise RunError(
        f"{name} has the output is_digit_probability, so that {THRESHOLD} in its metadata must be a number "
        f"from 0 to 1, but it is {text[:40]!r}. Write it again: {HOW}."
    )


@functools.cache
def _limit_memory() -> None:
    """Make all sessions allocate from one arena of at most MEMORY_BYTES.

    A file of a few bytes can ask for a huge padding; without a limit that would exhaust the memory.
    """
    import onnxruntime

    kind, sort = onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, onnxruntime.OrtMemType.DEFAULT
    arena = onnxruntime.OrtArenaCfg({"max_mem": MEMORY_BYTES})
    with contextlib.suppress(Exception):  # another thread or program has made one
        onnxruntime.create_and_register_allocator(onnxruntime.OrtMemoryInfo("Cpu", kind, 0, sort), arena)


def run_session(session: Any, images: NDArray[np.float32], numbers: NDArray[np.int64], name: str) -> Answers:
    """Run a session from :func:`open_session` on N pairs.

    Args:
        session: what :func:`open_session` returned.
        images: (N, 1, 28, 28) in [0, 1].
        numbers: (N,) 0..9.
        name: of the file, for error messages.

    Raises:
        RunError: the model fails, or its outputs are impossible, as those of a damaged one may be.
    """
    try:
        answers = Answers(*session.run(None, {"image": images, "number": numbers}))
    except Exception as error:
        reason = in_short(error)
    else:
        if _is_possible(answers, len(images)):
            likely = answers.is_digit_probability
            return answers if likely is None else answers._replace(is_digit_probability=np.minimum(likely, 1))
        reason = "its outputs are no digits, sums and probabilities"
    raise RunError(f"{name} does not answer {len(images)} pairs: {reason}. Write it again: {HOW}.")


def _is_possible(answers: Answers, count: int) -> bool:
    """Whether the outputs for ``count`` pairs have the right shapes, are in range and are not NaN.

    This is called for every answer, so it must take microseconds: the squares of a row of probabilities add
    up to at most 1, and to NaN if one of them is NaN.
    """
    digits, sums, of_digits, of_sums, of_a_digit = answers
    shapes = digits.shape, sums.shape, of_digits.shape, of_sums.shape
    return (
        shapes == ((count,), (count,), (count, DIGITS), (count, SUMS))
        and set(digits.tolist()) <= _ALL_DIGITS
        and set(sums.tolist()) <= _ALL_SUMS
        and all(0 < np.vdot(rows, rows) < 1.01 * count for rows in (of_digits, of_sums))
        and (of_a_digit is None or of_a_digit.shape == (count,))
        and (of_a_digit is None or all(0 <= p <= _MOST for p in of_a_digit.tolist()))
    )


def _check_interface(values: Sequence[Any], wanted: Values, name: str) -> None:
    """Refuse other names, types and shapes, another order, and a fixed number of pairs."""
    found = [(value.name, (value.type, value.shape[1:])) for value in values]
    if found != list(wanted.items()) or any(isinstance(value.shape[0], int) for value in values):
        has = ", ".join(f"{value.name} {value.type} {value.shape}" for value in values)
        must = ", ".join(f"{key} {kind} {['N', *shape]}" for key, (kind, shape) in wanted.items())
        raise RunError(f"{name} is the model of something else: it has {has[:300]}, but must have {must}.")
