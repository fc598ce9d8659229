"""Writing files so that nothing is lost: whole or not at all, never half.

Bytes or text come in; the file that stands under the name afterwards is the old one or the new one.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

UNFINISHED = ".unfinished"
"""How the temporary names end."""


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` to a temporary name in the same folder, then rename it to ``path``.

    Raises:
        OSError: the folder is missing, read-only or full; ``path``, which it names, is then as it was.
    """
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=UNFINISHED)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o666 & ~_umask())  # mkstemp makes files that only the owner may read
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
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
    write_text(path, re.sub(r"\[\n[^][{}]*\]", _on_one_line, text) + "\n")


def _on_one_line(array: re.Match[str]) -> str:
    return "[" + " ".join(array[0][1:-1].split()) + "]"


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask
