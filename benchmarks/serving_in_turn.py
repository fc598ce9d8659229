"""Is the service quicker than it was? ``python benchmarks/serving_in_turn.py COMMIT``, nothing else running.

The service as it is and as it was at a commit run at the same time and are asked in turn, for a second
each, over 16 connections: so both have the same share of the machine's better and worse moments. The requests
are those of ``serving.py``; they are sent from here, since a ratio needs no generator as quick as wrk. Where
others use the machine as well, the ratio of processor time is steadier than that of answers. Writes
results/log/serving.json and prints it.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import re
import selectors
import socket
import statistics
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any, cast

import torch

from mnist_adder import environment
from mnist_adder.data.images import load_images
from mnist_adder.safe_io import write_json
from serving import KINDS, ROOT, bodies, serving

RESULTS = ROOT / "results" / "log" / "serving.json"
CONNECTIONS, SECONDS, IMAGES = 16, 1.0, 500


def check_out(commit: str, folder: Path) -> Path:
    """The source as it was."""
    packed = folder / "source.tar"
    subprocess.run(["git", "-C", str(ROOT), "archive", "-o", str(packed), commit, "src"], check=True)
    with tarfile.open(packed) as archive:
        archive.extractall(folder, filter="data")
    return folder / "src"


def rate(address: str, requests: list[bytes], seconds: float) -> float:
    """Answers a second over all connections, each of which asks again as soon as it is answered."""
    host, port = address.removeprefix("http://").split(":")
    asked, answered = itertools.cycle(requests), 0
    with contextlib.ExitStack() as stack, selectors.DefaultSelector() as selector:
        for _ in range(CONNECTIONS):
            connection = stack.enter_context(socket.create_connection((host, int(port))))
            selector.register(connection, selectors.EVENT_READ, bytearray())
            connection.sendall(next(asked))
        began = time.perf_counter()
        while (now := time.perf_counter()) < began + seconds:
            for key, _ in selector.select():
                connection, received = cast("socket.socket", key.fileobj), key.data
                received += connection.recv(1 << 16)
                head, _, body = received.partition(b"\r\n\r\n")
                if len(body) < int(re.findall(rb"content-length: (\d+)", head)[0]):
                    continue
                if not head.startswith(b"HTTP/1.1 200 "):
                    raise SystemExit(f"not answered: {bytes(received)!r}")
                received.clear()
                answered += 1
                connection.sendall(next(asked))
    return answered / (now - began)


def cpu_seconds(pid: int) -> float:
    """Of all threads of a process, so far."""
    return (
        sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9
    )


def compare(requests: list[bytes], old: tuple[str, int], new: tuple[str, int], turns: int) -> dict[str, Any]:
    """Answers a second and processor time an answer of both, turn by turn, and their ratios."""
    for address, _ in (old, new):
        rate(address, requests, 4 * SECONDS)  # not counted: warms it up
    rates: dict[str, list[float]] = {"before": [], "now": []}
    costs: dict[str, list[float]] = {"before": [], "now": []}
    for turn in range(turns):
        sides = [("before", *old), ("now", *new)]
        for side, address, pid in sides if turn % 2 else sides[::-1]:
            began = cpu_seconds(pid)
            rates[side].append(round(rate(address, requests, SECONDS), 1))
            costs[side].append(round(1e6 * (cpu_seconds(pid) - began) / (rates[side][-1] * SECONDS), 1))
    return {
        "answers_per_second": rates,
        "cpu_us_per_answer": costs,
        "ratio": spread([now / then for then, now in zip(rates["before"], rates["now"], strict=True)]),
        "cpu_ratio": spread([now / then for then, now in zip(costs["before"], costs["now"], strict=True)]),
    }


def spread(ratios: list[float]) -> dict[str, float]:
    """The median, and how far the others are from it."""
    low, median, high = statistics.quantiles(ratios, n=4)
    return {"median": median, "quartile_1": low, "quartile_3": high, "min": min(ratios), "max": max(ratios)}


def measure(before: str, turns: int) -> dict[str, Any]:
    """All kinds of requests."""
    made = bodies(load_images("mnist").test_images[:IMAGES].numpy())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for side in ("old", "new"):
            (folder / side).mkdir()
        source = check_out(before, folder / "old")
        with serving(folder / "old", source) as old, serving(folder / "new") as new:
            found = {}
            for kind, contents in made.items():
                head = f"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: {KINDS[kind]}\r\ncontent-length:"
                requests = [f"{head} {len(content)}\r\n\r\n".encode() + content for content in contents]
                found[kind] = compare(requests, old, new, turns)
            return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commit", help="what to compare with")
    parser.add_argument("--turns", type=int, default=60)
    options = parser.parse_args()
    results = {
        "connections": CONNECTIONS,
        "turns": options.turns,
        "device": environment.describe_device(torch.device("cpu")),
        "cores": os.cpu_count(),
        "versions": environment.versions(),
        "commits": {"before": options.commit, "now": environment.source_commit()},
        "kinds": measure(options.commit, options.turns),
    }
    write_json(RESULTS, results)
    print(RESULTS.read_text())


if __name__ == "__main__":
    main()
