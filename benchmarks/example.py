"""How accurate is the one-file example, and how long does it take? ``python benchmarks/example.py``.

Runs examples/adder.py with five seeds, one after another, each in a process of its own as a reader would,
on the MNIST files that MNIST_ADDER_DATA names, and reads its count over all 100,000 pairs from what it
prints. Seconds are those of the whole process, evaluation included. The processor's seconds in user code are
written beside them, as a busy machine inflates them less. Writes results/example.json, from which
``python docs/tables.py`` makes README's block.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from mnist_adder import environment
from mnist_adder.safe_io import write_json

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "adder.py"
RESULTS = ROOT / "results" / "example.json"
COUNTS = re.compile(r"make ([\d,]+) questions\.\n.* right in ([\d,]+) answers")


def run_once(seed: int, threads: int) -> dict[str, Any]:
    """One run of the example: what it counted, its seconds, and what it printed."""
    variables = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, str(EXAMPLE), "--seed", str(seed)]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime, time.perf_counter()
    output = subprocess.run(command, env=variables, stdout=subprocess.PIPE, text=True, check=True).stdout
    seconds = time.perf_counter() - started
    user_seconds = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    found = COUNTS.search(output)
    if found is None:
        raise SystemExit(f"{EXAMPLE} does not say how many answers are right. It printed:\n{output}")
    pairs, right = (int(count.replace(",", "")) for count in found.groups())
    return {
        "seed": seed,
        "pairs": pairs,
        "right": right,
        "joint_accuracy": right / pairs,
        "seconds": seconds,
        "user_seconds": user_seconds,
        "load": os.getloadavg()[0],
        "output": output,
    }


def spread(values: list[float]) -> dict[str, float | int]:
    return {
        "n": len(values),
        "mean": statistics.mean(values),
        "std": statistics.stdev(values),
        "min": min(values),
        "max": max(values),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5, help="how many, from 0 up; at least two")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    runs = []
    for seed in range(options.seeds):
        run = run_once(seed, options.threads)
        runs.append(run)
        print(
            f"seed {seed}: {run['joint_accuracy']:.3%} in {run['seconds']:.0f} s, "
            f"{run['user_seconds']:.0f} s of processor time",
            flush=True,
        )
    summary = {
        name: spread([run[name] for run in runs]) for name in ("joint_accuracy", "seconds", "user_seconds")
    }
    about = {
        "threads": options.threads,
        "device": environment.describe_device(torch.device("cpu")),
        "cores": os.cpu_count(),
        "versions": environment.versions(),
        "commit": environment.source_commit(),
    }
    write_json(RESULTS, {**about, **summary, "runs": runs})
    accuracy = summary["joint_accuracy"]
    print(f"{accuracy['mean']:.3%} ± {accuracy['std']:.3%} of the pairs (n = {accuracy['n']}): {RESULTS}")


if __name__ == "__main__":
    main()
