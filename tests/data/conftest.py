"""What the tests of data share: the IDX format, written; a small dataset in it; servers of its files."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mnist_adder.data.mnist import MNIST, Manifest, MnistFile


def to_idx(array: NDArray[np.uint8]) -> bytes:
    """Write an array as IDX."""
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def write_small(folder: Path) -> Manifest:
    """Write a small dataset in MNIST's form, and say what it consists of."""
    random = np.random.default_rng(7)
    arrays = [
        random.integers(0, 256, (40, 28, 28), np.uint8),
        np.arange(40, dtype=np.uint8) % 10,
        random.integers(0, 256, (20, 28, 28), np.uint8),
        np.arange(20, dtype=np.uint8)[::-1] % 10,
    ]
    files = []
    for name, array in zip((file.name for file in MNIST.files), arrays, strict=True):
        content = to_idx(array)
        packed = gzip.compress(content, mtime=0)
        (folder / f"{name}.gz").write_bytes(packed)
        files.append(MnistFile(name, len(packed), hashlib.sha256(content).hexdigest()))
    return Manifest(tuple(files), mirrors=())


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Manifest]:
    """A folder with a small dataset in MNIST's form; nothing else is to be found on this machine."""
    monkeypatch.delenv("MNIST_ADDER_DATA", raising=False)
    monkeypatch.setenv("MNIST_ADDER_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "files"
    folder.mkdir()
    return folder, write_small(folder)


class Handler(BaseHTTPRequestHandler):
    """One request, to be answered in whatever way a server has."""

    def send(self, content: bytes, status: int = 200, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


class Mirrors:
    """Starts servers of the files of a folder, each with its own way to answer."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self.asked: list[str] = []

    def start(self, answer: Callable[[Handler, bytes], None] = Handler.send) -> str:
        folder, asked = self._folder, self.asked

        class Mirror(Handler):
            def do_GET(self) -> None:
                if self.command == "GET":
                    asked.append(f"{self.headers['Host']}{self.path}")
                answer(self, (folder / self.path.rsplit("/", 1)[1]).read_bytes())

            do_HEAD = do_GET  # noqa: N815

        server = ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
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
def mirrors(small: tuple[Path, Manifest], monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirrors]:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with contextlib.ExitStack() as stack:
        yield Mirrors(small[0], stack)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "mnist"


@pytest.fixture
def assert_whole(cache: Path, small: tuple[Path, Manifest]) -> Callable[[], None]:
    """Check that the cache holds the four files and nothing else."""

    def check() -> None:
        assert sorted(path.name for path in cache.iterdir()) == sorted(
            path.name for path in small[0].iterdir()
        )
        for path in cache.iterdir():
            assert path.read_bytes() == (small[0] / path.name).read_bytes()

    return check
