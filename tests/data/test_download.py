"""Downloads from real servers on this machine: a good one, and all the ways to be a bad one."""

from __future__ import annotations

import contextlib
import io
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mnist_adder.data import download
from mnist_adder.data.images import load_images
from mnist_adder.data.mnist import MNIST, Manifest
from mnist_adder.errors import DataError

if TYPE_CHECKING:
    from tests.data.conftest import Handler, Mirrors

Folder = tuple[Path, Manifest]
AssertWhole = Callable[[], None]
Answer = Callable[["Handler", bytes], None]


def not_found(handler: Handler, content: bytes) -> None:
    handler.send(b"no", status=404)


def login_page(handler: Handler, content: bytes) -> None:
    handler.send(b"<html>Please log in to this hotel's network</html>")


def half(handler: Handler, content: bytes) -> None:
    handler.send(content[: len(content) // 2], length=len(content))


def half_that_claims_to_be_whole(handler: Handler, content: bytes) -> None:
    handler.send(content[: len(content) // 2])


def as_long_but_another(handler: Handler, content: bytes) -> None:
    handler.send(content[:-20] + bytes(20))


def far_too_much(handler: Handler, content: bytes) -> None:
    with contextlib.suppress(ConnectionError):  # nobody listens to the end
        handler.send(bytes(50_000_000))


def nothing(handler: Handler, content: bytes) -> None:
    handler.close_connection = True


BAD = [
    (not_found, "(HTTP status 404)"),
    (login_page, "does not serve a file of"),
    (half, "cannot be reached, or breaks off"),
    (half_that_claims_to_be_whole, "does not serve a file of"),
    (as_long_but_another, "is truncated or damaged"),
    (far_too_much, "does not serve a file of"),
    (nothing, "cannot be reached, or breaks off"),
]


def test_downloads_once_and_from_the_first_mirror(
    small: Folder, mirrors: Mirrors, assert_whole: AssertWhole
) -> None:
    first, second = mirrors.start(), mirrors.start()
    manifest = replace(small[1], mirrors=(first, second))
    said: list[str] = []
    data = load_images("auto", notify=said.append, manifest=manifest)
    assert data.dataset == "mnist"
    assert data.sha256 == load_images("mnist", small[0], manifest=manifest).sha256
    assert len(said) == 1
    assert said[0].startswith("Downloading MNIST to ")
    assert_whole()
    assert [f"http://{asked}" for asked in mirrors.asked] == [f"{first}{f.name}.gz" for f in manifest.files]
    assert load_images("mnist", notify=pytest.fail, manifest=manifest).sha256 == data.sha256
    assert len(mirrors.asked) == 4


@pytest.mark.parametrize(("answer", "words"), BAD, ids=lambda value: getattr(value, "__name__", ""))
def test_a_bad_mirror_is_left_for_the_next(
    small: Folder,
    mirrors: Mirrors,
    cache: Path,
    assert_whole: AssertWhole,
    answer: Answer,
    words: str,
) -> None:
    bad = mirrors.start(answer)
    with pytest.raises(DataError) as caught:
        load_images("mnist", manifest=replace(small[1], mirrors=(bad,)))
    assert bad in str(caught.value)
    assert words in str(caught.value)
    assert "--data-dir or MNIST_ADDER_DATA" in str(caught.value)
    assert not cache.exists()
    manifest = replace(small[1], mirrors=(bad, mirrors.start()))
    assert load_images("mnist", manifest=manifest).dataset == "mnist"
    assert_whole()


def test_the_next_mirror_goes_on_where_one_breaks_off(
    small: Folder, mirrors: Mirrors, assert_whole: AssertWhole
) -> None:
    def all_but_the_last(handler: Handler, content: bytes) -> None:
        whole = len(content)
        handler.send(content[: whole // 2] if "t10k-labels" in handler.path else content, length=whole)

    first, second = mirrors.start(all_but_the_last), mirrors.start()
    manifest = replace(small[1], mirrors=(first, second))
    assert load_images("mnist", manifest=manifest).dataset == "mnist"
    assert_whole()
    assert f"http://{mirrors.asked[-1]}" == f"{second}t10k-labels-idx1-ubyte.gz"
    assert len(mirrors.asked) == 5


def test_two_dead_mirrors_are_given_up_at_once(small: Folder, mirrors: Mirrors) -> None:
    manifest = replace(small[1], mirrors=(mirrors.start_closed(), mirrors.start_closed()))
    said: list[str] = []
    started = time.monotonic()
    assert load_images("auto", notify=said.append, manifest=manifest).dataset == "digits"
    assert time.monotonic() - started < 5
    assert all(mirror in said[-1] for mirror in manifest.mirrors)
    with pytest.raises(DataError, match="cannot be reached"):
        load_images("mnist", manifest=manifest)


def test_silent_mirrors_are_given_up_after_the_patience_of_each(
    small: Folder, mirrors: Mirrors, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(MNIST.mirrors) * download.PATIENCE_SECONDS < 9  # a verdict within ten seconds
    monkeypatch.setattr(download, "PATIENCE_SECONDS", 1.0)
    manifest = replace(small[1], mirrors=(mirrors.start_silent(), mirrors.start_silent()))
    started = time.monotonic()
    with pytest.raises(DataError, match=r"does not answer.*; .* does not answer"):
        load_images("mnist", manifest=manifest)
    assert 2 <= time.monotonic() - started < 3


def test_a_proxy_that_never_answers_is_given_up(
    small: Folder, mirrors: Mirrors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "PATIENCE_SECONDS", 0.5)
    monkeypatch.setenv("HTTP_PROXY", mirrors.start_silent())
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(DataError, match="does not answer"):
        load_images("mnist", manifest=replace(small[1], mirrors=("http://mirror.invalid/",)))


def test_a_silent_mirror_does_not_keep_the_next_from_serving(
    small: Folder, mirrors: Mirrors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "PATIENCE_SECONDS", 1.0)
    manifest = replace(small[1], mirrors=(mirrors.start_silent(), mirrors.start()))
    assert load_images("mnist", manifest=manifest).dataset == "mnist"


def test_a_transfer_that_stalls_is_given_up(
    small: Folder, mirrors: Mirrors, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "PATIENCE_SECONDS", 0.3)
    given_up = threading.Event()

    def stall(handler: Handler, content: bytes) -> None:
        handler.send(content[:10], length=len(content))
        if handler.command == "GET":
            handler.wfile.flush()
            given_up.wait(20)

    manifest = replace(small[1], mirrors=(mirrors.start(stall),))
    try:
        with pytest.raises(DataError, match="hardly sends anything"):
            load_images("mnist", manifest=manifest)
    finally:
        given_up.set()
    assert not cache.exists()


def test_a_bad_cache_file_is_fetched_again(
    small: Folder, mirrors: Mirrors, cache: Path, assert_whole: AssertWhole
) -> None:
    manifest = replace(small[1], mirrors=(mirrors.start(),))
    load_images("mnist", manifest=manifest)
    path = cache / f"{manifest.files[2].name}.gz"
    content = bytearray(path.read_bytes())
    for damaged in (content[:-1], b"", content[:-1] + b"\0\0"):
        path.write_bytes(damaged)
        mirrors.asked.clear()
        said: list[str] = []
        assert load_images("mnist", notify=said.append, manifest=manifest).dataset == "mnist"
        assert said == [f"Downloading MNIST to {cache}. Missing or damaged there: {path.name}."]
        assert [asked.rsplit("/", 1)[1] for asked in mirrors.asked] == [path.name]
        assert_whole()


def test_a_cache_that_cannot_be_written_is_named(
    small: Folder, mirrors: Mirrors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "taken").write_text("a file, where a folder should be")
    monkeypatch.setenv("MNIST_ADDER_CACHE", str(tmp_path / "taken"))
    with pytest.raises(DataError, match=r"taken.* cannot be written"):
        load_images("mnist", manifest=replace(small[1], mirrors=(mirrors.start(),)))


def test_progress_is_shown_on_a_terminal_only(
    small: Folder, mirrors: Mirrors, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = replace(small[1], mirrors=(mirrors.start(),))
    for terminal in (False, True):
        for path in cache.glob("*"):
            path.unlink()
        shown = io.StringIO()
        monkeypatch.setattr(shown, "isatty", lambda terminal=terminal: terminal)
        monkeypatch.setattr(sys, "stderr", shown)
        load_images("mnist", manifest=manifest)
        assert ("100%" in shown.getvalue()) is terminal
