"""How accurate can it be? Train the preset ``best`` three times: ``python benchmarks/accuracy.py``.

The three train on all training images. They are evaluated one by one, then together as an ensemble, each once
with the images as they are and once with test-time augmentation, on all test pairs. Runs that are there are
not repeated. The figures go to results/accuracy.json.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

from mnist_adder.comparison.compare import mean_std
from mnist_adder.evaluation.evaluate import evaluate_run
from mnist_adder.runs import Run, load_run
from mnist_adder.safe_io import write_json

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "results" / "accuracy.json"


def trained(folder: Path, ensemble_size: int) -> Run:
    """The ensemble's run, trained by the command that users type, resumed, or found finished."""
    command = [sys.executable, "-m", "mnist_adder", "train"]
    if not (folder / "config.json").exists():
        command += ["--preset", "best", "--ensemble", str(ensemble_size), "--dataset", "mnist"]
        subprocess.run([*command, "--run-dir", str(folder)], check=True)
    elif not (folder / "results.json").exists():
        subprocess.run([*command, "--resume", str(folder)], check=True)
    return load_run(folder)


def row(runs: list[Run], *, augmented: bool) -> dict[str, Any]:
    """Joint accuracies of some runs on all test pairs, with or without test-time augmentation."""
    found = [evaluate_run(run, augment=augmented).joint_accuracy for run in runs]
    mean, std = mean_std(found)
    return {"n": len(found), "joint_accuracies": found, "mean": mean, "std": std}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=3)
    parser.add_argument("--run-dir", type=Path, default=Path("runs/best"))
    arguments = parser.parse_args()
    ensemble = trained(arguments.run_dir, arguments.members)
    singles = [load_run(folder) for folder in sorted((ensemble.folder / "members").iterdir())]
    rows = {
        "single": row(singles, augmented=False),
        "ensemble": row([ensemble], augmented=False),
        "single, test-time augmentation": row(singles, augmented=True),
        "ensemble, test-time augmentation": row([ensemble], augmented=True),
    }
    about = {
        name: ensemble.results[name]
        for name in (
            "device",
            "precision",
            "threads",
            "devices",
            "versions",
            "data_sha256",
            "recipe",
            "parameters",
        )
    }
    seconds = [run.results["train_seconds"] for run in singles]
    commits = sorted({str(run.config.commit) for run in singles})
    write_json(RESULTS, {**about, "commits": commits, "train_seconds": seconds, "rows": rows})
    for name, found in rows.items():
        deviation = f" ± {100 * found['std']:.3f}" if found["n"] > 1 else ""
        print(f"{100 * found['mean']:.3f}{deviation} %  {name} (n = {found['n']})")
    print(
        f"\nSeconds of training each: {', '.join(f'{value:.0f}' for value in seconds)}. Written to {RESULTS}"
    )


if __name__ == "__main__":
    main()
