"""Where downloads end up: a cache that is mended, shared by processes, or cannot be written."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mnist_adder.data import load_corpus
from mnist_adder.data.release import Release
from mnist_adder.errors import DataError

if TYPE_CHECKING:
    from tests.data.conftest import Handler, Mirrors

Folder = tuple[Path, Release]
AssertWhole = Callable[[Release], None]


def test_a_bad_cache_file_is_fetched_again(
    small: Folder, mirrors: Mirrors, cache: Path, assert_whole: AssertWhole
) -> None:
    release = replace(small[1], mirrors=(mirrors.start(),))
    load_corpus("mnist", release=release)
    path = cache / f"{release.test_images.name}.gz"
    content = bytearray(path.read_bytes())
    for damaged in (content[:-1], b"", content[:-1] + b"\0\0"):
        path.write_bytes(damaged)
        mirrors.asked.clear()
        said: list[str] = []
        assert load_corpus("mnist", notify=said.append, release=release).dataset == "mnist"
        assert said[0] == f"{path} is damaged and will be downloaded again."
        assert "1 of 4 files" in said[1]
        assert [asked.rsplit("/", 1)[1] for asked in mirrors.asked] == [path.name]
        assert_whole(release)


def test_a_cache_that_cannot_be_written_is_named(
    small: Folder, mirrors: Mirrors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "taken").write_text("a file, where a folder should be")
    monkeypatch.setenv("MNIST_ADDER_CACHE", str(tmp_path / "taken"))
    with pytest.raises(DataError, match=r"taken.* cannot be written"):
        load_corpus("mnist", release=replace(small[1], mirrors=(mirrors.start(),)))


def test_progress_is_shown_on_a_terminal_only(
    small: Folder, mirrors: Mirrors, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = replace(small[1], mirrors=(mirrors.start(),))
    for terminal in (False, True):
        for path in cache.glob("*"):
            path.unlink()
        shown = io.StringIO()
        monkeypatch.setattr(shown, "isatty", lambda terminal=terminal: terminal)
        monkeypatch.setattr(sys, "stderr", shown)
        load_corpus("mnist", release=release)
        assert ("100%" in shown.getvalue()) is terminal


PROCESS = """
import sys
from pathlib import Path
from mnist_adder.data.download import fetch
from mnist_adder.data.release import ReleaseFile

name, packed_sha256, packed_bytes, folder, mirror = sys.argv[1:]
file = ReleaseFile(
    name=name, shape=(), sha256="", packed_sha256=packed_sha256, packed_bytes=int(packed_bytes)
)
fetch([file], Path(folder), [mirror])
"""


def test_two_processes_may_download_at_once(small: Folder, mirrors: Mirrors, cache: Path) -> None:
    both_under_way = threading.Barrier(2)

    def together(handler: Handler, content: bytes) -> None:
        if handler.command == "GET":
            both_under_way.wait(60)  # neither is done before the other has begun
        handler.send(content)

    file, mirror = small[1].train_images, mirrors.start(together)
    facts = [file.name, file.packed_sha256, str(file.packed_bytes), str(cache), mirror]
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", PROCESS, *facts], stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.communicate(timeout=60)[1] == ""
        assert process.returncode == 0
    assert [path.name for path in cache.iterdir()] == [f"{file.name}.gz"]  # no temporary file is left
    content = (cache / f"{file.name}.gz").read_bytes()
    assert hashlib.sha256(content).hexdigest() == file.packed_sha256
