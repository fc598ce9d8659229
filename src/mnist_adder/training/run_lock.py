"""A run folder belongs to one training at a time, and a training that fails says how to resume it."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from mnist_adder import runs
from mnist_adder.errors import RunError
from mnist_adder.safe_io import unfinished
from mnist_adder.training import checkpoints
from mnist_adder.training.distributed import is_rank_zero


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep a run's folder, made if need be, to this block; of several processes the first does so for all.

    Raises:
        RunError: the folder cannot be made or is in use; or the block cannot write, and how to resume it.
        KeyboardInterrupt: Ctrl-C in the block; its argument is the folder.
    """
    if not is_rank_zero():
        yield
        return
    lock = _acquire(folder)
    try:
        for left in (*unfinished(folder), *unfinished(folder / checkpoints.FOLDER)):
            left.unlink()
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(folder) from None
    except (OSError, RunError) as error:
        failure = error if isinstance(error, OSError) else error.__cause__
        if not isinstance(failure, OSError):
            raise
        # Where the folder is an ensemble's and the failure a member's, the ensemble is what to resume.
        raise RunError(
            f"{failure.filename or folder}: {failure.strerror or failure}. What was written before is whole; "
            f"once there is room, resume with: mnist-adder train --resume {folder}"
        ) from failure
    finally:
        with contextlib.suppress(OSError):  # Windows deletes it by itself
            (folder / runs.LOCK).unlink()
        lock.release()


def _acquire(folder: Path) -> FileLock:
    lock = FileLock(folder / runs.LOCK, timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise RunError(
            f"{folder} is in use: a training writes to it. Wait for its end, or name another folder."
        ) from None
    except OSError as error:
        if error.errno != errno.ENOLCK:  # some network file systems have no locks
            raise RunError(f"{folder} cannot be used as a run folder: {error.strerror}.") from None
    return lock
