"""Where downloads end up: a cache that is mended, or cannot be written. ``test_places`` has the odd ones."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mnist_adder.data import load_images
from mnist_adder.data.manifest import Manifest
from mnist_adder.errors import DataError

if TYPE_CHECKING:
    from tests.data.conftest import Mirrors

Folder = tuple[Path, Manifest]
AssertWhole = Callable[[Manifest], None]


def test_a_bad_cache_file_is_fetched_again(
    small: Folder, mirrors: Mirrors, cache: Path, assert_whole: AssertWhole
) -> None:
    release = replace(small[1], mirrors=(mirrors.start(),))
    load_images("mnist", release=release)
    path = cache / f"{release.test_images.name}.gz"
    content = bytearray(path.read_bytes())
    for damaged in (content[:-1], b"", content[:-1] + b"\0\0"):
        path.write_bytes(damaged)
        mirrors.asked.clear()
        said: list[str] = []
        assert load_images("mnist", notify=said.append, release=release).dataset == "mnist"
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
        load_images("mnist", release=replace(small[1], mirrors=(mirrors.start(),)))


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
        load_images("mnist", release=release)
        assert ("100%" in shown.getvalue()) is terminal
