"""A run folder belongs to one training at a time, and a training that fails says how to resume it."""

from __future__ import annotations

import contextlib
import errno
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from mnist_adder import runs
from mnist_adder.data import DigitImages, load_images
from mnist_adder.errors import RunError
from mnist_adder.run_config import RunConfig
from mnist_adder.runs import Run, load_run
from mnist_adder.safe_io import unfinished
from mnist_adder.training import checkpoints
from mnist_adder.training.distributed import is_rank_zero


@contextmanager
def new_run(
    run_dir: Path | None, config: RunConfig, data: DigitImages, notify: Callable[[str], None]
) -> Iterator[Run]:
    """Make a run's folder, lock it, and say what begins where.

    Raises:
        RunError: the folder cannot be made, is not empty, or is in use; or the block cannot write to it.
        KeyboardInterrupt: Ctrl-C in the block; its argument is the folder.
    """
    folder = run_dir or runs.new_folder(config.preset or config.model, config.seed)
    if not is_rank_zero():
        yield Run(folder, config)
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{folder} cannot be used as a run folder: {error.strerror}.") from None
    with _held(folder):
        run = Run.create(folder, config)
        what = config.model if config.preset is None else f"{config.model}, preset {config.preset},"
        notify(f"{what} on {data.dataset} ({data.origin}), seed {config.seed}.")
        notify(f"Device: {config.device}, {config.precision}. Run folder: {folder}")
        yield run


@contextmanager
def stopped_run(
    folder: Path, data_dir: Path | None, notify: Callable[[str], None]
) -> Iterator[tuple[Run, DigitImages | None]]:
    """Open and lock a run to resume it, with the images it was trained on; without images if it has ended.

    Raises:
        RunError: there is no such run, it is in use, or its images are others now; or the block cannot write.
        DataError: the dataset cannot be had.
        KeyboardInterrupt: Ctrl-C in the block; its argument is the folder.
    """
    run = load_run(folder)
    with _held(folder):
        if (folder / "results.json").exists():
            shutil.rmtree(folder / checkpoints.FOLDER, ignore_errors=True)
            notify(f"{folder} has ended already.")
            yield run, None
            return
        data = load_images(run.config.dataset, data_dir, notify)
        run.check_data(data.sha256, data.origin)
        yield run, data


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep a folder to this block, by a file that goes with it.

    Raises:
        RunError: another process has it.
        OSError: the folder cannot be written to.
    """
    lock = FileLock(folder / runs.LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise RunError(
            f"{folder} is in use: a training writes to it. Wait for its end, or name another folder."
        ) from None
    except OSError as error:
        if error.errno != errno.ENOLCK:  # some network file systems have no locks
            raise
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # Windows deletes it by itself
            (folder / runs.LOCK).unlink()
        lock.release()


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    if not is_rank_zero():  # the first process writes for all
        yield
        return
    try:
        with locked(folder):
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
