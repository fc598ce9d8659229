"""A folder belongs to one process at a time, where the system can say so."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import NoReturn

import pytest

from mnist_adder.errors import RunError
from mnist_adder.training.run_lock import locked


def test_a_folder_in_use_is_refused_until_it_is_left(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(RunError, match="is in use"), locked(tmp_path):
        pass
    with locked(tmp_path):
        pass
    assert not list(tmp_path.iterdir())  # nothing is left lying


def test_other_folders_are_free(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    with locked(tmp_path), locked(tmp_path / "below"):
        pass


def test_an_error_frees_it(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="mine"), locked(tmp_path):
        raise ValueError("mine")
    with locked(tmp_path):
        pass


def test_a_failed_write_is_told_with_how_to_resume(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=rf"mine\..*train --resume {tmp_path}$"), locked(tmp_path):
        raise OSError("mine")


def test_ctrl_c_names_the_folder(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt) as stopped, locked(tmp_path):
        raise KeyboardInterrupt
    assert stopped.value.args == (tmp_path,)


def test_a_file_system_without_locks_does_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> NoReturn:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    with locked(tmp_path), locked(tmp_path):
        pass
