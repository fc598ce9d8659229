"""Clients that take their time, and too many of them: others are answered meanwhile, and they do not stay."""

from __future__ import annotations

import contextlib
import resource
import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.hardening.attempts import Faults
from tests.hardening.serving.wire import answers, connect, converse, question, read_all, request
from tests.serving.conftest import START, Service, start_service

from mnist_adder.inference import Predictor
from mnist_adder.serving.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable

ALL = len(Faults.times(2, 1)) == 2
PATIENCE = Limits().idle_seconds if ALL else 0.4  # seconds; the suite's service has less than the real one
IMPATIENT = f"""
import sys
from mnist_adder.serving.limits import Limits
from mnist_adder.serving.server import serve
serve(None, host="127.0.0.1", port=0, workers=1, log_level="info", limits=Limits(idle_seconds={PATIENCE}),
      notify=lambda sentence: print(sentence, file=sys.stderr, flush=True))
"""
HEALTH = request("GET", "/healthz", close=False)


@pytest.fixture(scope="module", autouse=True)
def _many_files() -> Iterator[None]:
    """Sockets of our own need files as well."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with start_service(tmp_path_factory.mktemp("impatient"), program=IMPATIENT) as running:
        yield running


@contextlib.contextmanager
def opened(port: int, count: int, sent: bytes = b"") -> Iterator[list[socket.socket]]:
    """Connections that have sent so much and now wait."""
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(connect(port)) for _ in range(count)]
        for connection in connections:
            connection.sendall(sent)
        yield connections


def ask_others(port: int, predictor: Predictor, seeds: range) -> None:
    """That whoever asks is answered, rightly and soon."""
    for seed in seeds:
        asked = question(seed)
        began = time.monotonic()
        [answer] = converse(port, asked.ask())
        asked.check(answer, predictor)
        assert time.monotonic() - began < 10


def wait_for_ends(connections: list[socket.socket], sent: Callable[[], bytes] = bytes) -> float:
    """Seconds until the service has hung up on all; meanwhile ``sent`` is trickled."""
    began, left = time.monotonic(), set(connections)
    while left and time.monotonic() - began < 4 * PATIENCE + 10:
        for connection in select.select(left, [], [], 0.05)[0] if len(left) < 900 else _ready(left):
            with contextlib.suppress(ConnectionResetError):
                if connection.recv(1 << 16):
                    continue
            left.discard(connection)
        for connection in left if (piece := sent()) else ():
            with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                connection.sendall(piece)
    assert not left
    return time.monotonic() - began


def _ready(connections: set[socket.socket]) -> list[socket.socket]:
    """Those with something to read; ``select`` bears no more than 1,024."""
    poll, places = select.poll(), {connection.fileno(): connection for connection in connections}
    for place in places:
        poll.register(place, select.POLLIN)
    return [places[place] for place, _ in poll.poll(50)]


def test_idle_connections_keep_no_one_out(service: Service, faults: Faults, predictor: Predictor) -> None:
    """2,000 of each kind: none of these sends a whole request."""
    half = question(1).ask()
    for kind, sent in {
        "idle connections": b"",
        "halves of heads": half[:40],
        "halves of bodies": half[:-1],
    }.items():
        wait_until(lambda: _sockets(service) < 200)  # those of before have gone
        with opened(service.port, 2000, sent) as connections, faults(f"2,000 {kind}"):
            wait_until(lambda: _sockets(service) + answers_of(connections) >= 2000)  # all are taken
            ask_others(service.port, predictor, range(10))
            refused = _ready(set(connections))  # none are refused, but requests that came in one turn
            assert not refused or kind == "halves of bodies"
            assert all(connection.recv(4096).startswith(b"HTTP/1.1 503 ") for connection in refused)
    ask_others(service.port, predictor, range(10))
    assert not [line for line in service.lines if "traceback" in line]


def test_who_sends_no_whole_head_does_not_stay(
    impatient: Service, faults: Faults, predictor: Predictor
) -> None:
    head = question(0, "pixels").ask().partition(b"\r\n\r\n")[0]
    with contextlib.ExitStack() as stack:
        cuts = [7 * seed % len(head) for seed in faults.times(20, 12)]
        groups = [
            (time.monotonic(), stack.enter_context(opened(impatient.port, 10, head[:cut]))) for cut in cuts
        ]
        for began, idle in groups:
            with faults("half heads"):
                wait_for_ends(idle)
                assert PATIENCE * 0.8 < time.monotonic() - began < 2 * PATIENCE + 5
    with opened(impatient.port, 20) as slow, faults("heads of a byte at a time"):
        assert wait_for_ends(slow, trickle()) < 2 * PATIENCE + 5
    with opened(impatient.port, 20, HEALTH) as slow, faults("second heads of a byte at a time"):
        assert wait_for_ends(slow, trickle()) < 3 * PATIENCE + 5
    ask_others(impatient.port, predictor, range(5))


def trickle() -> Callable[[], bytes]:
    """Gives a head of 4 kB: a byte each second, in the suite each 0.05."""
    left, pace = iter(request("GET", "/healthz", b"", "x: " + "a" * 4000)), Pace(1.0 if ALL else 0.05)
    return lambda: bytes([next(left)]) if pace.is_due() else b""


class Pace:
    """Says when so many seconds have passed since it last said so."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._due = seconds, 0.0

    def is_due(self) -> bool:
        now = time.monotonic()
        if now < self._due:
            return False
        self._due = now + self._seconds
        return True


def test_slow_bodies_keep_no_one_out(service: Service, faults: Faults, predictor: Predictor) -> None:
    """More of them than requests are let in, and announcing more bytes than are held."""
    head = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    for length in (b"content-length: 9999999\r\n\r\n{", b"transfer-encoding: chunked\r\n\r\n5\r\n{"):
        with opened(service.port, 2 * Limits().in_flight, head + length) as slow, faults("1,024 slow bodies"):
            ask_others(service.port, predictor, range(10))
            if ALL:
                pace = Pace(1)
                while slow and answers_of(slow) < len(slow):
                    for connection in slow if pace.is_due() else ():
                        connection.sendall(b"1\r\n \r\n" if b"chunked" in length else b" ")
                for connection in slow:
                    # 503: its head came in one turn with others that announced too much together
                    assert connection.recv(4096).startswith((b"HTTP/1.1 408 ", b"HTTP/1.1 503 "))
    ask_others(service.port, predictor, range(10))


def answers_of(connections: list[socket.socket]) -> int:
    """How many have been answered."""
    return len(_ready(set(connections)))


def deaf(port: int) -> socket.socket:
    """A connection whose client takes next to nothing in."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(20)
    connection.connect(("127.0.0.1", port))
    return connection


def test_who_does_not_read_keeps_no_one_out_and_does_not_stay(
    impatient: Service, faults: Faults, predictor: Predictor
) -> None:
    asked = request("GET", "/openapi.json", close=False)  # 30 kB
    quiet, memory = _sockets(impatient), _memory(impatient)
    with contextlib.ExitStack() as stack, faults("clients that do not read"):
        clients = [stack.enter_context(deaf(impatient.port)) for _ in range(faults.times(200, 20)[-1] + 1)]
        for client in clients:
            client.sendall(asked * Limits().pipelined)
        ask_others(impatient.port, predictor, range(10))
        began = time.monotonic()
        while _sockets(impatient) > quiet and time.monotonic() - began < 4 * PATIENCE + 10:
            ask_others(impatient.port, predictor, range(1))
        assert _sockets(impatient) == quiet
        assert _memory(impatient) - memory < 200e6


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "that did not come about in time"
        time.sleep(0.02)


def _memory(service: Service) -> float:
    """Bytes of memory that the service has."""
    return int(Path(f"/proc/{service.process.pid}/statm").read_text().split()[1]) * resource.getpagesize()


def _sockets(service: Service) -> int:
    """How many sockets the service has open."""
    found = 0
    for file in Path(f"/proc/{service.process.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found += str(file.readlink()).startswith("socket:")
    return found


def test_who_reads_slowly_gets_all_of_the_answer(
    service: Service, faults: Faults, predictor: Predictor
) -> None:
    for seed in faults.times(20, 1):
        asked = question(seed, "batch", count=256)
        with faults("slow readers"), deaf(service.port) as client:
            client.sendall(asked.ask())
            received = bytearray()
            while piece := client.recv(2000):
                received += piece
            [answer] = answers(bytes(received))
            asked.check(answer, predictor)


def test_half_requests_are_answered_or_dropped(
    service: Service, faults: Faults, predictor: Predictor
) -> None:
    for seed in faults.times(2000, 60):
        asked = question(seed)
        whole = asked.ask(close=False)
        cut = len(whole) if seed % 4 == 0 else (seed * 7919) % len(whole)
        with faults("half requests"), connect(service.port) as client:
            client.sendall(whole[:cut])
            client.shutdown(socket.SHUT_WR)
            found = answers(read_all(client))
            if cut == len(whole):
                asked.check(found[0], predictor)
            else:
                assert not found


def test_more_connections_than_files_are_refused(
    tmp_path: Path, faults: Faults, predictor: Predictor
) -> None:
    few = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (150, 150)); "
    with start_service(tmp_path, program=few + START) as service:
        for _ in faults.times(10, 2):
            with opened(service.port, 400) as connections, faults("more connections than files"):
                connections[0].sendall(question(0).ask())
                question(0).check(answers(read_all(connections[0]))[0], predictor)
                [answer] = answers(read_all(connections[-1]))
                assert (answer.status, "50 connections" in answer.json["detail"]) == (503, True)
            ask_others(service.port, predictor, range(3))
        log = service.stop()
    assert not [entry for entry in log if entry["level"] not in ("info", "warning")]


def test_clients_that_wait_do_not_keep_it_from_ending(tmp_path: Path, faults: Faults) -> None:
    for _ in faults.times(5, 1):
        with (
            faults("ends with 1,000 clients waiting"),
            start_service(tmp_path) as service,
            opened(service.port, 500),
            opened(service.port, 500, b"GET / HTTP/1.1\r\nhost"),
        ):
            began = time.monotonic()
            log = service.stop()
            assert time.monotonic() - began < 10
            assert not [entry for entry in log if entry["level"] not in ("info", "warning")]
