"""A run's folder belongs to one process at a time.

A folder comes in; while the block runs nobody else gets it. Next: ``taken``.

The lock is the operating system's, on the folder itself. So no file is left lying, and the lock ends with
its process however that ends.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mnist_adder.errors import RunError

try:
    import fcntl
except ImportError:  # there is none on Windows, and so no lock
    fcntl = None  # type: ignore[assignment]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep a folder to this block; where the system or the file system has no locks, do nothing.

    Raises:
        RunError: somebody else has it.
        OSError: the folder cannot be opened.
    """
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems have no locks
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RunError(
                    f"{folder} is in use: a training writes to it. Wait for its end, or name another folder."
                ) from None
        yield
    finally:
        os.close(handle)
