"""How few parameters will do? Train the tiny presets: ``python benchmarks/size.py``.

Each is trained on all training images with three seeds, and evaluated once on all test pairs; runs that are
there are not repeated. The frontier goes to results/size.json and docs/pictures/size.png, with
shared-trunk on it.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

from rich.console import Console

from mnist_adder.cli.progress import Progress
from mnist_adder.comparison.compare import Row, compare
from mnist_adder.models.presets import PRESETS
from mnist_adder.reports import save_figure
from mnist_adder.reports.comparison import accuracy_against, in_percent, in_seconds
from mnist_adder.safe_io import write_json
from mnist_adder.training.config import TrainConfig
from mnist_adder.training.train import train_or_resume

ROOT = Path(__file__).parent.parent
RESULTS, PICTURE = ROOT / "results" / "size.json", ROOT / "docs" / "pictures" / "size.png"
PUBLISHED = ROOT / "results" / "comparison" / "comparison.json"
NAMES = [name for name in PRESETS if name.startswith("tiny")]


def train_all(runs_dir: Path, seeds: int) -> list[dict[str, Any]]:
    """Results of every preset and seed, trained where they are not there yet."""
    console = Console(stderr=True)
    return [
        train_or_resume(
            TrainConfig(preset=name, seed=seed, dataset="mnist", run_dir=runs_dir / f"{name}-seed{seed}"),
            notify=console.print,
            callbacks=lambda: [Progress(console)],
        ).results
        for seed in range(seeds)
        for name in NAMES
    ]


def frontier(rows: list[Row]) -> list[Row]:
    """Ours, and shared-trunk as it was compared with the other models; the smallest first."""
    published = json.loads(PUBLISHED.read_text())["rows"]
    trunk = next(Row(**row) for row in published if row["model"] == "shared-trunk")
    return sorted([*rows, trunk], key=lambda row: row.parameters)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="of each preset")
    parser.add_argument("--runs-dir", type=Path, default=Path("runs/size"))
    arguments = parser.parse_args()
    comparison = compare(train_all(arguments.runs_dir, arguments.seeds))
    rows = frontier(comparison.rows)
    write_json(
        RESULTS,
        {
            **comparison.protocol,
            "commits": comparison.commits,
            "rows": [dataclasses.asdict(row) for row in rows],
            "runs": comparison.runs,
        },
    )
    save_figure(accuracy_against("parameters", rows), PICTURE)
    for row in rows:
        right, seconds = in_percent(row, "joint_accuracy"), in_seconds(row)
        print(f"{row.parameters:>7,}  {right} %  {seconds:>9} s  {row.model}")
    print(f"\nThe frontier: {RESULTS} and {PICTURE}")


if __name__ == "__main__":
    main()
