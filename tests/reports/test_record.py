"""What a comparison saves: figures as in the results, plots with every model, each run's results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mnist_adder.errors import RunError
from mnist_adder.evaluation.compare import compare
from mnist_adder.reports import save_comparison
from mnist_adder.reports.record import comparison_table, in_percent, in_seconds
from mnist_adder.runs import Run


@pytest.fixture
def results(trained_run: Run) -> list[dict[str, Any]]:
    """Two models, two seeds each; the second model is made up."""
    first = trained_run.results
    changed = {"model": "learned-sum", "parameters": 95_773, "inconsistency": 0.0123, "train_seconds": 77.0}
    return [{**first, **other, "seed": seed} for other in ({}, changed) for seed in (0, 1)]


def test_the_table_has_the_results_figures(results: list[dict[str, Any]]) -> None:
    rows = [line for line in comparison_table(compare(results)).splitlines() if line.startswith("| `")]
    assert len(rows) == 2
    cells = [cell.strip() for cell in rows[1].split("|")]
    accuracies = (100 * results[0][f"{name}_accuracy"] for name in ("digit", "sum", "joint"))
    expected = [f"{value:.2f} ± 0.00" for value in accuracies]
    assert cells[1:] == ["`learned-sum`", "95,773", "3.7 M", "3", "77 ± 0", *expected, "1.23 ± 0.00", ""]


def test_a_mean_is_told_with_its_deviation_if_there_are_several_seeds(results: list[dict[str, Any]]) -> None:
    runs = [
        {**results[0], "seed": seed, "joint_accuracy": 0.99 + seed / 10_000, "train_seconds": 11.0 + seed}
        for seed in (-1, 0, 1)
    ]
    (row,) = compare(runs).rows
    assert in_percent(row, "joint_accuracy") == "99.00 ± 0.01"
    assert (in_seconds(row), in_seconds(row, 1)) == ("11 ± 1", "11.0 ± 1.0")
    (alone,) = compare(runs[2:]).rows
    assert (in_percent(alone, "joint_accuracy"), in_seconds(alone)) == ("99.01", "12")


def test_the_folder_has_table_plots_and_every_run(results: list[dict[str, Any]], tmp_path: Path) -> None:
    comparison = compare(results)
    page = save_comparison(comparison, tmp_path / "a" / "b")
    text = page.read_text()
    assert comparison_table(comparison) in text
    content = json.loads((page.parent / "comparison.json").read_text())
    assert set(content) == {"rows", "protocol", "commits"}
    assert [row["model"] for row in content["rows"]] == ["exact-sum", "learned-sum"]
    assert content["rows"][1]["inconsistency_mean"] == pytest.approx(0.0123)
    kept = [json.loads(path.read_text()) for path in sorted((page.parent / "runs").iterdir())]
    assert sorted(kept, key=str) == sorted(json.loads(json.dumps(results)), key=str)
    for name in ("parameters", "seconds"):
        with Image.open(page.parent / f"{name}.png") as picture:
            counts = picture.convert("L").histogram()
            assert sum(counts[:80]) > 500  # ink
            assert counts[255] > 100_000  # paper


def test_a_preset_is_saved_beside_its_model(results: list[dict[str, Any]], tmp_path: Path) -> None:
    tiny = {**results[0], "preset": "tiny"}
    page = save_comparison(compare([results[0], tiny, {**tiny, "ensemble_size": 3}]), tmp_path)
    names = ["3-exact-sum-tiny-seed0.json", "exact-sum-seed0.json", "exact-sum-tiny-seed0.json"]
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == names
    assert json.loads((tmp_path / "runs" / names[2]).read_text())["preset"] == "tiny"
    assert "| `exact-sum (tiny)` |" in page.read_text()


def test_a_folder_that_cannot_be_written_to_is_one_clear_error(
    results: list[dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError, match="cannot be written to"):
        save_comparison(compare(results), tmp_path / "file")
