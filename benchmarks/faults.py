"""How many faults of which kind are survived: ``python benchmarks/faults.py`` with MNIST_ADDER_DATA set.

Runs the tests that try to break things, with all their attempts instead of the suite's few, and counts.
Writes results/faults.json and prints it. Give test files to run those alone, which writes nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import torch

from mnist_adder import machine
from mnist_adder.files import write_json

ROOT = Path(__file__).parent.parent
TESTS = ROOT / "tests"


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
    """Run, count, print, and if all was run, write."""
    chosen = sys.argv[1:]
    files = chosen or sorted(
        str(path.relative_to(ROOT))
        for path in TESTS.rglob("test_*.py")
        if "faults: Faults" in path.read_text()
    )
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "faults.jsonl")
        log.touch()
        passed = attack(files, log)
        counted = count(log)
    kinds = [figures for each in counted.values() for figures in each.values()]
    results: dict[str, Any] = {
        "tried": sum(figures["tried"] for figures in kinds),
        "survived": sum(figures["survived"] for figures in kinds),
        "faults": counted,
        "minutes": round((time.monotonic() - began) / 60, 1),
        "device": machine.describe_device(torch.device("cpu")),
        "versions": machine.versions(),
        "commit": machine.source_commit(),
    }
    path = ROOT / "results" / "faults.json"
    if not chosen:
        write_json(path, results)
    print(json.dumps(results, indent=2))
    if not chosen:
        print(f"written to {path}; python docs/tables.py brings it into the documents")
    sys.exit(not passed)


if __name__ == "__main__":
    main()
