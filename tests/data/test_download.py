"""Downloads from real servers on this machine: a good one, and all the ways to be a bad one."""

from __future__ import annotations

import contextlib
import hashlib
import io
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mnist_adder.data import download, load_corpus
from mnist_adder.data.release import Release
from mnist_adder.errors import DataError

Folder = tuple[Path, Release]
Answer = Callable[[BaseHTTPRequestHandler, bytes], None]


def send(
    handler: BaseHTTPRequestHandler, content: bytes, status: int = 200, length: int | None = None
) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(content) if length is None else length))
    handler.end_headers()
    if handler.command == "GET":
        handler.wfile.write(content)


def not_found(handler: BaseHTTPRequestHandler, content: bytes) -> None:
    send(handler, b"no", status=404)


def not_found_when_it_matters(handler: BaseHTTPRequestHandler, content: bytes) -> None:
    send(handler, b"no", status=404 if handler.command == "GET" else 200)


def login_page(handler: BaseHTTPRequestHandler, content: bytes) -> None:
    send(handler, b"<html>Please log in to this hotel's network</html>")


def half(handler: BaseHTTPRequestHandler, content: bytes) -> None:
    send(handler, content[: len(content) // 2], length=len(content))


def half_that_claims_to_be_whole(handler: BaseHTTPRequestHandler, content: bytes) -> None:
    send(handler, content[: len(content) // 2])


def far_too_much(handler: BaseHTTPRequestHandler, content: bytes) -> None:
    with contextlib.suppress(ConnectionError):  # nobody listens to the end
        send(handler, bytes(50_000_000))


def nothing(handler: BaseHTTPRequestHandler, content: bytes) -> None:
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


class Mirrors:
    """Starts servers of the files of a folder, each with its own way to answer."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self.asked: list[str] = []

    def start(self, answer: Answer = send) -> str:
        folder, asked = self._folder, self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.command == "GET":
                    asked.append(f"{self.headers['Host']}{self.path}")
                answer(self, (folder / self.path.rsplit("/", 1)[1]).read_bytes())

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        self._stack.callback(thread.join)
        self._stack.callback(server.server_close)
        self._stack.callback(server.shutdown)
        return f"http://127.0.0.1:{server.server_port}/data/"

    def start_closed(self) -> str:
        """The address of a port on which nobody listens."""
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            return f"http://127.0.0.1:{closed.getsockname()[1]}/"

    def start_silent(self) -> str:
        """A port that lets callers in and then says nothing, for ever."""
        silent = self._stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        return f"http://127.0.0.1:{silent.getsockname()[1]}/"


@pytest.fixture
def mirrors(small: Folder, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirrors]:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with contextlib.ExitStack() as stack:
        yield Mirrors(small[0], stack)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "mnist"


def assert_whole(cache: Path, release: Release) -> None:
    assert sorted(path.name for path in cache.iterdir()) == sorted(
        f"{file.name}.gz" for file in release.files
    )
    for file in release.files:
        assert hashlib.sha256((cache / f"{file.name}.gz").read_bytes()).hexdigest() == file.packed_sha256


def test_downloads_once_and_from_the_first_mirror(small: Folder, mirrors: Mirrors, cache: Path) -> None:
    first, second = mirrors.start(), mirrors.start()
    release = replace(small[1], mirrors=(first, second))
    said: list[str] = []
    corpus = load_corpus("auto", notify=said.append, release=release)
    assert corpus.dataset == "mnist"
    assert corpus.sha256 == load_corpus("mnist", small[0], release=release).sha256
    assert len(said) == 1
    assert said[0].startswith("Downloading MNIST (4 of 4 files")
    assert_whole(cache, release)
    assert [f"http://{asked}" for asked in mirrors.asked] == [f"{first}{f.name}.gz" for f in release.files]
    assert load_corpus("mnist", notify=pytest.fail, release=release).sha256 == corpus.sha256
    assert len(mirrors.asked) == 4


@pytest.mark.parametrize(("answer", "words"), BAD, ids=lambda value: getattr(value, "__name__", ""))
def test_a_bad_mirror_is_left_for_the_next(
    small: Folder, mirrors: Mirrors, cache: Path, answer: Answer, words: str
) -> None:
    bad = mirrors.start(answer)
    with pytest.raises(DataError) as caught:
        load_corpus("mnist", release=replace(small[1], mirrors=(bad,)))
    assert bad in str(caught.value)
    assert words in str(caught.value)
    assert "--data-dir or MNIST_ADDER_DATA" in str(caught.value)
    assert not cache.exists()
    release = replace(small[1], mirrors=(bad, mirrors.start()))
    assert load_corpus("mnist", release=release).dataset == "mnist"
    assert_whole(cache, release)


def test_the_next_mirror_goes_on_where_one_breaks_off(small: Folder, mirrors: Mirrors, cache: Path) -> None:
    def all_but_the_last(handler: BaseHTTPRequestHandler, content: bytes) -> None:
        (half if "t10k-labels" in handler.path else send)(handler, content)

    first, second = mirrors.start(all_but_the_last), mirrors.start()
    release = replace(small[1], mirrors=(first, second))
    assert load_corpus("mnist", release=release).dataset == "mnist"
    assert_whole(cache, release)
    assert f"http://{mirrors.asked[-1]}" == f"{second}t10k-labels-idx1-ubyte.gz"
    assert len(mirrors.asked) == 5


def test_a_bad_cache_file_is_fetched_again(small: Folder, mirrors: Mirrors, cache: Path) -> None:
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
        assert_whole(cache, release)


def test_two_dead_mirrors_are_given_up_at_once(small: Folder, mirrors: Mirrors) -> None:
    release = replace(small[1], mirrors=(mirrors.start_closed(), mirrors.start_closed()))
    said: list[str] = []
    started = time.monotonic()
    assert load_corpus("auto", notify=said.append, release=release).dataset == "digits"
    assert time.monotonic() - started < 5
    assert all(mirror in said[-1] for mirror in release.mirrors)
    with pytest.raises(DataError, match="cannot be reached"):
        load_corpus("mnist", release=release)


def test_silent_mirrors_are_given_up_within_ten_seconds(small: Folder, mirrors: Mirrors) -> None:
    release = replace(small[1], mirrors=(mirrors.start_silent(), mirrors.start_silent()))
    started = time.monotonic()
    with pytest.raises(DataError, match=r"gives no answer; .* gives no answer\."):
        load_corpus("mnist", release=release)
    assert time.monotonic() - started < 9


def test_a_proxy_that_never_answers_is_given_up(
    small: Folder, mirrors: Mirrors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "PROBE_SECONDS", 0.5)
    monkeypatch.setenv("HTTP_PROXY", mirrors.start_silent())
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(DataError, match="gives no answer"):
        load_corpus("mnist", release=replace(small[1], mirrors=("http://mirror.invalid/",)))


def test_a_silent_mirror_does_not_keep_the_next_from_serving(
    small: Folder, mirrors: Mirrors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "PROBE_SECONDS", 1.0)
    release = replace(small[1], mirrors=(mirrors.start_silent(), mirrors.start()))
    assert load_corpus("mnist", release=release).dataset == "mnist"


def test_a_transfer_that_stalls_is_given_up(
    small: Folder, mirrors: Mirrors, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "STALL_SECONDS", 0.3)
    given_up = threading.Event()

    def stall(handler: BaseHTTPRequestHandler, content: bytes) -> None:
        send(handler, content[:10], length=len(content))
        if handler.command == "GET":
            handler.wfile.flush()
            given_up.wait(20)

    release = replace(small[1], mirrors=(mirrors.start(stall),))
    try:
        with pytest.raises(DataError, match=r"breaks off|gives no answer"):
            load_corpus("mnist", release=release)
    finally:
        given_up.set()
    assert not cache.exists()


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

    def together(handler: BaseHTTPRequestHandler, content: bytes) -> None:
        if handler.command == "GET":
            both_under_way.wait(60)  # neither is done before the other has begun
        send(handler, content)

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
