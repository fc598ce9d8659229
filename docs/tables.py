"""Rebuild the README's result table from ``results/``: ``python docs/tables.py``.

Every row comes from one ``results/DESIGN.json``, the results.json of one run; nothing is typed by hand.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mnist_adder import designs
from mnist_adder.files import write_text

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- results: made by docs/tables.py -->", "<!-- end of results -->"


def load_results(folder: Path = ROOT / "results") -> list[dict[str, Any]]:
    """The runs on MNIST that the README shows, in the order of their joint accuracy, the best first."""
    results = [json.loads((folder / f"{name}.json").read_text()) for name in designs.names()]
    return sorted(results, key=lambda result: -result["joint_accuracy"])


def results_table(results: list[dict[str, Any]]) -> str:
    """The table of all runs and, below, what they ran on."""
    lines = [
        "| design | parameters | epochs | seconds | digit | sum | both | sum contradicts digit |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for result in results:
        accuracies = (100 * result[f"{name}_accuracy"] for name in ("digit", "sum", "joint"))
        lines.append(
            f"| `{result['design']}` | {result['parameters']:,} | {result['epochs']} "
            f"| {result['train_seconds']:.0f} | "
            + " | ".join(f"{value:.2f}" for value in accuracies)
            + f" | {100 * result['contradiction']:.2f} |"
        )
    first = results[0]
    seeds = ", ".join(sorted({str(result["seed"]) for result in results}))
    lines += [
        "",
        f"Percent of all {first['pairs']:,} test pairs, counted; one run each, seed {seeds}; seconds of "
        f"training with {first['threads']} threads of {first['device']}, {first['precision']}, "
        f"PyTorch {first['versions']['torch']}.",
    ]
    return "\n".join(lines)


def with_table(readme: str, table: str) -> str:
    """The README with what stands between the two marks replaced."""
    before, rest = readme.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


def main() -> None:
    """Rewrite the README in place."""
    path = ROOT / "README.md"
    write_text(path, with_table(path.read_text(), results_table(load_results())))


if __name__ == "__main__":
    main()
