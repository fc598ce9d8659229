"""How many faults of which kind are survived: ``python benchmarks/faults.py`` with MNIST_ADDER_DATA set.

Runs the tests that try to break things, with all their attempts instead of the suite's few, and counts, in
half an hour. Writes results/faults.json and prints it. Give test files to renew the figures of those alone.
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
TESTS = ROOT / "tests" / "hardening"
RESULTS = ROOT / "results" / "faults.json"


def attack(files: list[str], log: Path) -> bool:
    """Run the tests, with a line a kind of fault in ``log``; whether all of them passed."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "addopts=", *files]
    environment = {**os.environ, "MNIST_ADDER_FAULTS": str(log)}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0


def count(log: Path) -> dict[str, dict[str, dict[str, int]]]:
    """Attempts and survivals: test file -> kind -> figures."""
    counted: dict[str, dict[str, Counter[str]]] = {}
    for line in log.read_text().splitlines():
        entry = json.loads(line)
        kinds = counted.setdefault(Path(entry["file"]).relative_to("tests").as_posix(), {})
        kinds.setdefault(entry["kind"], Counter()).update(tried=entry["tried"], survived=entry["survived"])
    return {file: {kind: dict(each) for kind, each in kinds.items()} for file, kinds in counted.items()}


def main() -> None:
    """Run, count, write and print."""
    chosen = sys.argv[1:]
    files = chosen or sorted(
        str(path.relative_to(ROOT))
        for path in TESTS.rglob("test_*.py")
        if "faults: Faults" in path.read_text()
    )
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "faults.jsonl")
        log.touch()
        passed = attack(files, log)
        counted = count(log)
    before = json.loads(RESULTS.read_text()) if chosen and RESULTS.exists() else {}
    faults = {**before.get("faults", {}), **counted}
    kinds = [figures for each in faults.values() for figures in each.values()]
    results: dict[str, Any] = {
        "tried": sum(figures["tried"] for figures in kinds),
        "survived": sum(figures["survived"] for figures in kinds),
        "faults": dict(sorted(faults.items())),
        "commits": {**before.get("commits", {}), **dict.fromkeys(counted, environment.source_commit())},
        "device": environment.describe_device(torch.device("cpu")),
        "versions": environment.versions(),
    }
    write_json(RESULTS, results)
    print(f"{RESULTS.read_text()}\nWritten to {RESULTS}; python docs/tables.py brings it into the documents.")
    sys.exit(not passed)


if __name__ == "__main__":
    main()
