"""Downloads from real servers on this machine: a good one, and all the ways to be a bad one."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.attempts import Faults

from mnist_adder.data import download, load_images
from mnist_adder.data.manifest import Manifest
from mnist_adder.errors import DataError

if TYPE_CHECKING:
    from tests.data.conftest import Handler, Mirrors

Folder = tuple[Path, Manifest]
AssertWhole = Callable[[Manifest], None]
Answer = Callable[["Handler", bytes], None]


def not_found(handler: Handler, content: bytes) -> None:
    handler.send(b"no", status=404)


def not_found_when_it_matters(handler: Handler, content: bytes) -> None:
    handler.send(b"no", status=404 if handler.command == "GET" else 200)


def login_page(handler: Handler, content: bytes) -> None:
    handler.send(b"<html>Please log in to this hotel's network</html>")


def half(handler: Handler, content: bytes) -> None:
    handler.send(content[: len(content) // 2], length=len(content))


def half_that_claims_to_be_whole(handler: Handler, content: bytes) -> None:
    handler.send(content[: len(content) // 2])


def far_too_much(handler: Handler, content: bytes) -> None:
    with contextlib.suppress(ConnectionError):  # nobody listens to the end
        handler.send(bytes(50_000_000))


def nothing(handler: Handler, content: bytes) -> None:
    handler.close_connection = True


BAD = [
    (not_found, "does not have the files"),
    (not_found_when_it_matters, "answers with HTTP status 404"),
    (login_page, "sends something else as"),
    (half, "cannot be reached, or breaks off"),
    (half_that_claims_to_be_whole, "sends something else as"),
    (far_too_much, "sends more than"),
    (nothing, "cannot be reached, or breaks off"),
]


def test_downloads_once_and_from_the_first_mirror(
    small: Folder, mirrors: Mirrors, assert_whole: AssertWhole
) -> None:
    first, second = mirrors.start(), mirrors.start()
    release = replace(small[1], mirrors=(first, second))
    said: list[str] = []
    data = load_images("auto", notify=said.append, release=release)
    assert data.dataset == "mnist"
    assert data.sha256 == load_images("mnist", small[0], release=release).sha256
    assert len(said) == 1
    assert said[0].startswith("Downloading MNIST (4 of 4 files")
    assert_whole(release)
    assert [f"http://{asked}" for asked in mirrors.asked] == [f"{first}{f.name}.gz" for f in release.files]
    assert load_images("mnist", notify=pytest.fail, release=release).sha256 == data.sha256
    assert len(mirrors.asked) == 4


@pytest.mark.parametrize(("answer", "words"), BAD, ids=lambda value: getattr(value, "__name__", ""))
def test_a_bad_mirror_is_left_for_the_next(
    small: Folder,
    mirrors: Mirrors,
    cache: Path,
    assert_whole: AssertWhole,
    faults: Faults,
    answer: Answer,
    words: str,
) -> None:
    bad = mirrors.start(answer)
    with faults("mirror answers 404, HTML, half a file, too much or nothing"):
        with pytest.raises(DataError) as caught:
            load_images("mnist", release=replace(small[1], mirrors=(bad,)))
        assert bad in str(caught.value)
        assert words in str(caught.value)
        assert "--data-dir or MNIST_ADDER_DATA" in str(caught.value)
        assert not cache.exists()
        release = replace(small[1], mirrors=(bad, mirrors.start()))
        assert load_images("mnist", release=release).dataset == "mnist"
        assert_whole(release)


def test_the_next_mirror_goes_on_where_one_breaks_off(
    small: Folder, mirrors: Mirrors, assert_whole: AssertWhole
) -> None:
    def all_but_the_last(handler: Handler, content: bytes) -> None:
        whole = len(content)
        handler.send(content[: whole // 2] if "t10k-labels" in handler.path else content, length=whole)

    first, second = mirrors.start(all_but_the_last), mirrors.start()
    release = replace(small[1], mirrors=(first, second))
    assert load_images("mnist", release=release).dataset == "mnist"
    assert_whole(release)
    assert f"http://{mirrors.asked[-1]}" == f"{second}t10k-labels-idx1-ubyte.gz"
    assert len(mirrors.asked) == 5


def test_two_dead_mirrors_are_given_up_at_once(small: Folder, mirrors: Mirrors) -> None:
    release = replace(small[1], mirrors=(mirrors.start_closed(), mirrors.start_closed()))
    said: list[str] = []
    started = time.monotonic()
    assert load_images("auto", notify=said.append, release=release).dataset == "digits"
    assert time.monotonic() - started < 5
    assert all(mirror in said[-1] for mirror in release.mirrors)
    with pytest.raises(DataError, match="cannot be reached"):
        load_images("mnist", release=release)


def test_silent_mirrors_are_given_up_within_ten_seconds(small: Folder, mirrors: Mirrors) -> None:
    release = replace(small[1], mirrors=(mirrors.start_silent(), mirrors.start_silent()))
    started = time.monotonic()
    with pytest.raises(DataError, match=r"gives no answer; .* gives no answer\."):
        load_images("mnist", release=release)
    assert time.monotonic() - started < 9


def test_a_proxy_that_never_answers_is_given_up(
    small: Folder, mirrors: Mirrors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "PROBE_SECONDS", 0.5)
    monkeypatch.setenv("HTTP_PROXY", mirrors.start_silent())
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(DataError, match="gives no answer"):
        load_images("mnist", release=replace(small[1], mirrors=("http://mirror.invalid/",)))


def test_a_silent_mirror_does_not_keep_the_next_from_serving(
    small: Folder, mirrors: Mirrors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "PROBE_SECONDS", 1.0)
    release = replace(small[1], mirrors=(mirrors.start_silent(), mirrors.start()))
    assert load_images("mnist", release=release).dataset == "mnist"


def test_a_transfer_that_stalls_is_given_up(
    small: Folder, mirrors: Mirrors, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "STALL_SECONDS", 0.3)
    given_up = threading.Event()

    def stall(handler: Handler, content: bytes) -> None:
        handler.send(content[:10], length=len(content))
        if handler.command == "GET":
            handler.wfile.flush()
            given_up.wait(20)

    release = replace(small[1], mirrors=(mirrors.start(stall),))
    try:
        with pytest.raises(DataError, match=r"breaks off|gives no answer"):
            load_images("mnist", release=release)
    finally:
        given_up.set()
    assert not cache.exists()
