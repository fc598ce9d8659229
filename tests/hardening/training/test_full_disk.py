"""A disk that is full, a folder that goes away or was never one: what was there stays, one line says it.

The operating system's limit on the size of files stands in for the full disk: it needs no rights and fails
the same calls.
"""

from __future__ import annotations

import math
import random
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lightning as L
import pytest
from tests.cli.conftest import RunCLI
from tests.hardening.attempts import Faults
from tests.training.commands import assert_same_end

from mnist_adder.errors import RunError
from mnist_adder.reports import report
from mnist_adder.runs import Run, load_run
from mnist_adder.safe_io import write_text
from mnist_adder.training.config import TrainConfig
from mnist_adder.training.train import resume, train

SETTINGS: dict[str, str | float] = {"epochs": 2, "weight_averaging": "none"}


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Every file that grows beyond so many bytes is one on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class FullFromEpoch(L.Callback):
    """Fills the disk before an epoch, or, after the last epoch, before the results are written."""

    def __init__(self, epoch: int, size: int) -> None:
        self.epoch, self.size = epoch, size

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.current_epoch == self.epoch:
            self._fill()

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.max_epochs == self.epoch:
            self._fill()

    def _fill(self) -> None:
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.size, hard))


def quick(folder: Path, *callbacks: L.Callback) -> Run:
    return train(
        TrainConfig(model="exact-sum", recipe=SETTINGS, dataset="digits", run_dir=folder),
        callbacks=lambda: callbacks,
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The run as it is where nothing goes wrong."""
    return quick(tmp_path_factory.mktemp("whole") / "run")


def leftovers(folder: Path) -> list[Path]:
    return list(folder.rglob(".*"))


def sizes(count: range) -> Iterator[int]:
    """Sizes at which the disk is full, as many below 1 KB as between 1 and 10 MB."""
    chance = random.Random(0)
    for _ in count:
        yield int(10 ** chance.uniform(0, math.log10(3e6)))


def test_training_on_a_full_disk_ends_in_one_line_and_carries_on_later(
    whole: Run, faults: Faults, tmp_path: Path
) -> None:
    refused = 0
    for attempt, size in enumerate(sizes(faults.times(60, 3))):
        with faults("a disk that is full at some moment of a training"):
            folder, epoch, said = tmp_path / f"{attempt}", attempt % 3, ""
            try:
                with files_of_at_most(resource.RLIM_INFINITY):
                    quick(folder, FullFromEpoch(epoch, size))
            except RunError as error:
                said = str(error)
            if said:  # else there was room for all
                assert "File too large" in said
                assert f"resume with: mnist-adder train --resume {folder}" in said
                assert not leftovers(folder)
                assert not (folder / "results.json").exists()
                assert (folder / "checkpoints" / "last.ckpt").exists() == (epoch > 0)
                resume(folder)
                refused += 1
            assert_same_end(folder, whole.folder)
    assert refused > 1


def test_an_ensemble_on_a_full_disk_carries_on_as_a_whole(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with files_of_at_most(resource.RLIM_INFINITY), pytest.raises(RunError, match="File too large") as failed:
        train(
            TrainConfig(ensemble_size=2, recipe=SETTINGS, dataset="digits", run_dir=folder),
            callbacks=lambda: [FullFromEpoch(1, 1000)],
        )
    assert str(failed.value).endswith(f"resume with: mnist-adder train --resume {folder}")
    assert resume(folder).results["ensemble_size"] == 2


def test_a_file_on_a_full_disk_stays_as_it_was(faults: Faults, tmp_path: Path) -> None:
    path = tmp_path / "file"
    for size in sizes(faults.times(500, 20)):
        with faults("a disk that is full while a file is replaced"):
            write_text(path, "old")
            with files_of_at_most(size), pytest.raises(OSError, match="too large") as failed:
                write_text(path, "n" * (size + 1))
            assert failed.value.filename == str(path)
            assert path.read_text() == "old"
            assert list(tmp_path.iterdir()) == [path]


def test_a_report_on_a_full_disk_leaves_the_one_before(whole: Run, faults: Faults, tmp_path: Path) -> None:
    page = report([whole], tmp_path / "report")
    before = {path: path.read_bytes() for path in page.parent.rglob("*") if path.is_file()}
    for size in sizes(faults.times(10, 1)):
        with faults("a disk that is full while a report is written"):
            with files_of_at_most(min(size, 20_000)), pytest.raises(RunError, match="cannot be written to"):
                report([whole], tmp_path / "report")
            assert {path: path.read_bytes() for path in page.parent.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("place", ["FILE/run", "/dev/full/run", "/proc/run"])
def test_a_folder_that_cannot_be_made_is_one_line(
    place: str, run_cli: RunCLI, faults: Faults, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    folder = place.replace("FILE", str(tmp_path / "file"))
    small = ["exact-sum", "--dataset", "digits"]
    commands = [
        ["train", "--resume", folder],
        ["train", *small, "--run-dir", folder],
        ["train", *small, "--ensemble", "2", "--run-dir", folder],
        ["speedrun", "--dataset", "digits", "--run-dir", folder],
        ["compare", *small, "--seeds", "1", "--epochs-scale", "0.1", "--runs-dir", folder],
        ["find-lr", *small, "--out", folder],  # it finds the rate first
    ]
    for words in (commands[place] for place in faults.times(6, 4)):
        with faults("a folder that cannot be made or found"):
            code, out, err = run_cli(*words)
            assert (code, out) == (2, "")
            assert f"mnist-adder: {folder}" in err or f"There is no run folder {folder}" in err
            assert "Traceback" not in err


class Remove(L.Callback):
    """Removes a folder before the second epoch."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.current_epoch == 1:
            shutil.rmtree(self.folder)


def test_a_run_folder_that_vanishes_is_told(faults: Faults, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with faults("a run folder that is removed while it trains"):
        with pytest.raises(RunError, match=rf"{folder}/metrics\.csv: No such file or directory"):
            quick(folder, Remove(folder))
        assert not folder.exists()


def test_checkpoints_that_vanish_do_no_harm(whole: Run, faults: Faults, tmp_path: Path) -> None:
    with faults("checkpoints that are removed while it trains"):
        quick(tmp_path / "run", Remove(tmp_path / "run" / "checkpoints"))
        assert_same_end(tmp_path / "run", whole.folder)


def test_a_damaged_checkpoint_says_what_to_do(faults: Faults, tmp_path: Path, whole: Run) -> None:
    folder = tmp_path / "run"
    with files_of_at_most(resource.RLIM_INFINITY), pytest.raises(RunError, match="too large"):
        quick(folder, FullFromEpoch(1, 100))
    checkpoint, chance = folder / "checkpoints" / "last.ckpt", random.Random(0)
    content = checkpoint.read_bytes()
    for _ in faults.times(50, 5):
        with faults("a checkpoint that is cut off"):
            checkpoint.write_bytes(content[: chance.randrange(len(content))])
            with pytest.raises(
                RunError, match=r"last\.ckpt is damaged. Delete .* to let the run begin again"
            ):
                resume(folder)
    shutil.rmtree(checkpoint.parent)
    resume(folder)
    assert_same_end(folder, whole.folder)
    assert load_run(folder).results["epochs"] == 2
