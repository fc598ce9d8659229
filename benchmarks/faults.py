"""How often which attempt to break it is made: ``python benchmarks/faults.py`` with MNIST_ADDER_DATA set.

Runs tests/hardening with all attempts instead of the suite's few and counts them, in half an hour. Writes
results/faults.json and prints it, if all tests pass. Give test files to count those alone anew.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import torch

from mnist_adder import environment
from mnist_adder.safe_io import write_json

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "results" / "faults.json"


def attack(files: list[str], log: Path) -> bool:
    """Run the tests, with a line for each kind of attempt in ``log``; whether all of them passed."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "addopts=", *files]
    environment = {**os.environ, "MNIST_ADDER_FAULTS": str(log)}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0


def count(log: Path) -> dict[str, dict[str, int]]:
    """Attempts: test file -> kind -> how many."""
    counted: dict[str, Counter[str]] = {}
    for line in log.read_text().splitlines():
        entry = json.loads(line)
        file = Path(entry["file"]).relative_to("tests/hardening").as_posix()
        counted.setdefault(file, Counter())[entry["kind"]] += entry["attempts"]
    return {file: dict(kinds) for file, kinds in counted.items()}


def main() -> None:
    """Run, count, write and print."""
    chosen = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "faults.jsonl")
        log.touch()
        if not attack(chosen or ["tests/hardening"], log):
            sys.exit("A test failed, so results/faults.json stays as it was.")
        counted = count(log)
    before = json.loads(RESULTS.read_text()) if chosen and RESULTS.exists() else {}
    faults = {**before.get("faults", {}), **counted}
    results: dict[str, Any] = {
        "attempts": sum(sum(kinds.values()) for kinds in faults.values()),
        "faults": dict(sorted(faults.items())),
        "commits": {**before.get("commits", {}), **dict.fromkeys(counted, environment.source_commit())},
        "device": environment.describe_device(torch.device("cpu")),
        "versions": environment.versions(),
    }
    write_json(RESULTS, results)
    print(f"{RESULTS.read_text()}\nWritten to {RESULTS}; python docs/tables.py brings it into the documents.")


if __name__ == "__main__":
    main()
