"""Files that are written whole or not at all, and read with care.

A run folder may be damaged, come from somebody else, or be made to do harm. So nothing that is read here is
executed: weights are safetensors, which hold numbers alone, and all else is JSON or text of bounded size.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_adder.errors import RunError

if TYPE_CHECKING:
    from torch import Tensor

UNFINISHED = ".unfinished"  # how the temporary names end
MAX_TEXT_BYTES = 5_000_000  # of a config, results or metrics; honest ones have some thousand
MAX_MODEL_BYTES = 500_000_000  # of tensors; the largest model has 10 MB a network


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` to a temporary name in the same folder, then rename it to ``path``.

    Raises:
        OSError: the folder is missing, read-only or full; ``path``, which it names, is then as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}{UNFINISHED}")
    try:
        try:
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:  # a failed write names no file, and the temporary one says nothing to a user
        raise OSError(error.errno, error.strerror, str(path)) from None


def unfinished(folder: Path) -> list[Path]:
    """The temporary files that a killed process has left in a folder, if nobody else writes there now."""
    return list(folder.glob(f".*{UNFINISHED}"))


def write_text(path: Path, content: str) -> None:
    """Write text as UTF-8, whole or not at all; see :func:`write_bytes`."""
    write_bytes(path, content.encode())


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` as indented JSON, whole or not at all; NaN and infinity are refused.

    A list of plain values stands on one line, so that a table of numbers looks like one.
    """
    text = json.dumps(content, indent=2, allow_nan=False)
    text = re.sub(r"\[\n[^][{}]*\n *\]", lambda array: json.dumps(json.loads(array[0])), text)
    write_text(path, f"{text}\n")


def read_bytes(path: Path, most: int = MAX_MODEL_BYTES) -> bytes:
    """The content of a file.

    Raises:
        FileNotFoundError: there is none.
        RunError: it cannot be read, is no ordinary file, or has more than ``most`` bytes.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe or a device may never end
            raise RunError(f"{path} cannot be read: it is a folder or a device, not a file.")
        with path.open("rb") as file:
            content = file.read(most + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(path) from None
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}.") from None
    if len(content) > most:
        raise RunError(f"{path} has more than {most:,} bytes, the most such a file may have.")
    return content


def read_text(path: Path) -> str:
    """The content of a text file of a run; a RunError if it is missing, too large or no text."""
    try:
        return read_bytes(path, MAX_TEXT_BYTES).decode("utf-8-sig")  # Windows' editors add a byte-order mark
    except FileNotFoundError:
        raise RunError(
            f"{path.parent} has no {path.name}: it is no run folder, or its training did not end."
        ) from None
    except UnicodeDecodeError as error:
        raise RunError(f"{path} is damaged: {error}.") from None


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file of a run; a RunError if it is none, or holds NaN or infinity."""
    try:
        values = json.loads(read_text(path), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:  # ValueError: thousands of digits too
        raise RunError(f"{path} is damaged: {in_short(error)}.") from None
    if not isinstance(values, dict):
        raise RunError(f"{path} is damaged: it holds no JSON object.")
    return values


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def read_tensors(path: Path, what: str) -> dict[str, Tensor]:
    """The tensors of a safetensors file, on the CPU; errors as of :func:`read_bytes`, or that it is none."""
    from safetensors.torch import load

    content = read_bytes(path)
    try:
        return load(content)
    except Exception as error:  # safetensors' own, and what a type that torch lacks makes it raise
        raise RunError(f"{path} does not hold {what}, or is damaged: {in_short(error)}.") from None


def in_short(error: Exception | str) -> str:
    """What an error says, on one line that a terminal shows as it is."""
    said = " ".join(str(error).split()) or type(error).__name__
    return "".join(letter if letter.isprintable() else "?" for letter in said[:200]).rstrip(".")


def misfit(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> str:
    """What is wrong with the first tensor that is not as it should be; empty if all fit and are finite."""
    if missing := sorted(wanted.keys() - found.keys()):
        return f"it lacks {missing[0]!r}"
    if more := sorted(found.keys() - wanted.keys()):
        return f"it has {more[0][:60]!r}, which is none of them"
    for name, tensor in found.items():
        right = wanted[name]
        if (tensor.dtype, tensor.shape) != (right.dtype, right.shape):
            return f"{name!r} is {tensor.dtype} {[*tensor.shape]}, not {right.dtype} {[*right.shape]}"
        if not bool(tensor.isfinite().all()):
            return f"{name!r} holds values that are no finite numbers"
    return ""
