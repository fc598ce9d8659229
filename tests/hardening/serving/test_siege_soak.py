"""Workers killed under load: every answer is right, or its connection broke with the worker."""

from __future__ import annotations

import os
import random
import re
import signal
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from tests.hardening.attempts import Faults
from tests.hardening.serving.wire import Question, connect, question, read_one

from mnist_adder.inference import Predictor

if TYPE_CHECKING:
    from tests.serving.conftest import Service, Start

ALL = len(Faults.times(2, 1)) == 2
SECONDS = 600 if ALL else 0  # and two kills at least
PAUSE = 2.0 if ALL else 0.3  # seconds of load with both workers, from one kill to the next
CLIENTS = 4


class Client(threading.Thread):
    """Asks one question after the other, and counts what comes of each."""

    def __init__(self, seed: int, port: int, predictor: Predictor, questions: list[Question]) -> None:
        super().__init__(daemon=True)
        self._chance = random.Random(seed)
        self._port, self._predictor, self._questions = port, predictor, questions
        self.counted: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.slowest_seconds = 0.0
        self.stopped = threading.Event()

    def run(self) -> None:
        while not self.stopped.is_set():
            try:
                self._converse()
            except Exception as error:  # kept for the test, which ends at once
                self.wrong.append(repr(error))
                return

    def _converse(self) -> None:
        """Up to 50 questions over one connection."""
        try:
            connection = connect(self._port)
        except ConnectionError:
            self.counted["not let in"] += 1
            return
        with connection:
            for _ in range(self._chance.randint(1, 50)):
                asked = self._chance.choice(self._questions)
                began = time.monotonic()
                try:
                    connection.sendall(asked.ask(close=False))
                except ConnectionError:
                    self.counted["broken"] += 1
                    return
                answer = read_one(connection)
                if answer is None:
                    self.counted["broken"] += 1
                    return
                if answer.status == 503:
                    self.counted["refused"] += 1
                else:
                    asked.check(answer, self._predictor)
                    self.counted["right"] += 1
                self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - began)
                if self.stopped.is_set():
                    return


def workers(service: Service) -> list[int]:
    """Processes that have begun to answer, in the order in which they did."""
    text = "".join(list(service.lines))
    ready = len(re.findall("startup complete", text))
    return [int(pid) for pid in re.findall(r"Started server process \[(\d+)\]", text)][:ready]


def wait_for_workers(service: Service, count: int) -> None:
    until = time.monotonic() + 120
    while len(workers(service)) < count:
        assert time.monotonic() < until, "no new worker came"
        threading.Event().wait(0.02)


def kill_one(service: Service, alive: list[int], chance: random.Random, count: int) -> float:
    """Kill one of the two that are alive; seconds until another answers, of ``count`` and one so far."""
    killed = alive.pop(chance.randrange(2))
    os.kill(killed, signal.SIGKILL)
    at = time.monotonic()
    wait_for_workers(service, count + 1)
    alive.append(workers(service)[-1])
    return time.monotonic() - at


def in_flight(service: Service) -> float:
    """As /metrics tells, with the request that asks."""
    text = httpx.get(f"{service.url}/metrics", timeout=20).text
    return float(re.findall(r"^mnist_adder_in_flight (\S+)", text, re.MULTILINE)[0])


def stop(clients: list[Client]) -> Counter[str]:
    """End them; what came of all their questions."""
    for client in clients:
        client.stopped.set()
    for client in clients:
        client.join(timeout=30)
    return sum((client.counted for client in clients), Counter())


def test_workers_are_killed_under_load(
    start: Start, tmp_path: Path, faults: Faults, predictor: Predictor
) -> None:
    questions = [question(seed) for seed in range(50)]
    chance = random.Random(0)
    came_seconds: list[float] = []
    with start(tmp_path, "--workers", "2") as service:
        wait_for_workers(service, 2)
        clients = [Client(seed, service.port, predictor, questions) for seed in range(CLIENTS)]
        for client in clients:
            client.start()
        alive, began = workers(service), time.monotonic()
        while time.monotonic() - began < SECONDS or len(came_seconds) < 2:
            with faults("workers killed under load"):
                right = sum(client.counted["right"] for client in clients)
                threading.Event().wait(PAUSE * chance.uniform(0.5, 1.5))
                came_seconds.append(kill_one(service, alive, chance, len(came_seconds) + 2))
                assert 1 <= in_flight(service) <= CLIENTS + 1, "killed workers are still counted"
                assert sum(client.counted["right"] for client in clients) > right
                assert not [client.wrong for client in clients if client.wrong]
        counted = stop(clients)
        figures = {
            "minutes": round((time.monotonic() - began) / 60, 1),
            "kills": len(came_seconds),
            **counted,
            "slowest_seconds": round(max(client.slowest_seconds for client in clients), 2),
            "new_worker_seconds": [round(each, 2) for each in (min(came_seconds), max(came_seconds))],
        }
        print(figures)  # for `pytest -rP`
        assert in_flight(service) == 1
        log = service.stop()
    assert not [client.wrong for client in clients if client.wrong]
    assert counted["broken"] <= len(came_seconds) * CLIENTS  # each kill breaks what it had, once
    assert counted["not let in"] == counted["refused"] == 0
    assert not [entry for entry in log if entry["level"] == "error"]
