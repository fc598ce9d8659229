"""What a comparison saves: values as in the results, plots with every model, each run's results."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from mnist_adder.comparison.compare import Row, compare
from mnist_adder.errors import RunError
from mnist_adder.reports import save_comparison
from mnist_adder.reports.comparison import accuracy_against, comparison_table, in_percent, in_seconds
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


def made_up(model: str, parameters: int, accuracy: float, deviation: float, seconds: float) -> Row:
    """A row with what the plots show; the rest is nothing."""
    zeros: dict[str, Any] = {field.name: 0 for field in dataclasses.fields(Row)}
    shown: dict[str, Any] = {
        "model": model,
        "seeds": [0],
        "parameters": parameters,
        "joint_accuracy_mean": accuracy,
        "joint_accuracy_std": deviation,
        "train_seconds_mean": seconds,
    }
    return Row(**{**zeros, **shown})


# As they were measured: two pairs of models lie close together in both plots.
ROWS = [
    made_up("learned-sum", 95_773, 0.9961, 0.0002, 47),
    made_up("exact-sum", 90_634, 0.9956, 0.0003, 48),
    made_up("argmax-regression", 100_461, 0.9945, 0.0004, 177),
    made_up("logit-mlp", 220_125, 0.9937, 0.0005, 180),
    made_up("shared-trunk", 17_308, 0.9933, 0.0004, 237),
    made_up("binary-sum", 6_772_272, 0.9856, 0.0012, 287),
]


@pytest.mark.parametrize(
    ("cost", "column"), [("parameters", "parameters"), ("seconds", "train_seconds_mean")]
)
def test_each_model_is_where_it_belongs(
    cost: Literal["parameters", "seconds"], column: str, legible: Callable[[Figure], list[str]]
) -> None:
    figure = accuracy_against(cost, ROWS)
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    looks = set()
    for row, container in zip(ROWS, axes.containers, strict=True):
        point, _, (bar,) = container.lines  # type: ignore[attr-defined]
        assert np.allclose(point.get_xydata(), [[getattr(row, column), row.joint_accuracy_mean]])
        low, high = bar.get_segments()[0][:, 1]
        assert high - low == pytest.approx(2 * row.joint_accuracy_std)
        looks.add((point.get_marker(), point.get_color()))
    assert len(looks) == len({marker for marker, _ in looks}) == len(ROWS)
    assert {row.model for row in ROWS} <= set(legible(figure))


def test_one_model_and_equal_models_can_be_drawn(legible: Callable[[Figure], list[str]]) -> None:
    legible(accuracy_against("seconds", ROWS[:1]))
    same = [made_up(f"model-{place}", 1000, 1.0, 0.0, 10.0) for place in range(4)]
    assert {row.model for row in same} <= set(legible(accuracy_against("parameters", same)))
