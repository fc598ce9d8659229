"""Is the service quicker than it was? ``python benchmarks/serving_in_turn.py COMMIT``, nothing else running.

The service as it is and as it was at a commit run at the same time and are asked in turn, for a second each,
over 16 connections: so both have the same share of the machine's better and worse moments. The requests are
those of ``serving.py``. Writes results/log/serving.json and prints it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import torch

from mnist_adder import environment
from mnist_adder.data.images import load_images
from mnist_adder.safe_io import write_json
from serving import ROOT, bodies, load, serving, write_scripts

RESULTS = ROOT / "results" / "log" / "serving.json"
CONNECTIONS, SECONDS, IMAGES = 16, 1, 500


def check_out(commit: str, folder: Path) -> Path:
    """The source as it was."""
    packed = folder / "source.tar"
    subprocess.run(["git", "-C", str(ROOT), "archive", "-o", str(packed), commit, "src"], check=True)
    with tarfile.open(packed) as archive:
        archive.extractall(folder, filter="data")
    return folder / "src"


def measure(before: str, turns: int) -> dict[str, Any]:
    """Answers a second of both, turn by turn, and how many times as many are given now."""
    images = load_images("mnist").test_images[:IMAGES].numpy()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scripts = write_scripts(folder, bodies(images))
        for side in ("old", "new"):
            (folder / side).mkdir()
        source = check_out(before, folder / "old")
        with serving(folder / "old", source) as (old, _), serving(folder / "new") as (new, _):
            for script in scripts.values():
                for address in (old, new):
                    load(script, f"{address}/predict", CONNECTIONS, 2 * SECONDS)  # not counted: warms it up
            for kind, script in scripts.items():
                rates: dict[str, list[int]] = {"before": [], "now": []}
                for _ in range(turns):
                    for side, address in (("before", old), ("now", new)):
                        measured = load(script, f"{address}/predict", CONNECTIONS, SECONDS)
                        rates[side].append(measured["answered_per_second"])
                ratios = [now / then for then, now in zip(rates["before"], rates["now"], strict=True)]
                found[kind] = {
                    **{
                        side: {"median": statistics.median(many), "all": many} for side, many in rates.items()
                    },
                    "ratio": {"median": statistics.median(ratios), "min": min(ratios), "max": max(ratios)},
                }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commit", help="what to compare with")
    parser.add_argument("--turns", type=int, default=15)
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
