"""A real service: the command in a process of its own, and a client to ask it."""

from __future__ import annotations

import json
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from mnist_adder.inference import Predictor
from mnist_adder.pretrained import pretrained_folder

START = "from mnist_adder.cli import main; main()"
"""The command; a test may put lines before it."""


class Service:
    """A running ``mnist-adder serve``."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []  # of its standard error, so far
        self._ports: queue.Queue[int] = queue.Queue()
        self._ready: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.port = self._ports.get(timeout=60)
        self._ready.get(timeout=60)
        self.url = f"http://127.0.0.1:{self.port}"

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if found := re.search(r"serves on http://127\.0\.0\.1:(\d+)", line):
                self._ports.put(int(found[1]))
            if "startup complete" in line:
                self._ready.put(line)

    def stop(self) -> list[dict[str, Any]]:
        """End it, and return what it logged; what is not JSON is what the command says first."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=30)
        self._reader.join(timeout=10)
        return [json.loads(line) for line in self.lines if line.startswith("{")]


Start = Callable[..., AbstractContextManager[Service]]
"""The folder to start it in, and arguments; a running service out, which is ended in the end."""


@contextmanager
def start_service(folder: Path, *arguments: str, program: str = START) -> Iterator[Service]:
    command = [sys.executable, "-c", program, "serve", "--port", "0", *arguments]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        running = Service(process)
        try:
            yield running
        finally:
            running.stop()


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One that all tests ask; none may end it."""
    with start_service(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture
def start() -> Start:
    """Starts one that a test may end."""
    return start_service


@pytest.fixture(scope="session")
def client(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=30) as asking:
        yield asking


@pytest.fixture(scope="session")
def predictor() -> Predictor:
    """What the service answers by."""
    return Predictor(pretrained_folder())
