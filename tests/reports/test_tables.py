"""Tables say what the files say, in percent where people read."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from mnist_adder import models
from mnist_adder.models.summary import summarize
from mnist_adder.reports import tables
from mnist_adder.reports.run_files import RunFiles
from mnist_adder.reports.style import percent


def variant(files: RunFiles, results: dict[str, Any] | None = None, **config: Any) -> RunFiles:
    """The files with other results and another config."""
    run = dataclasses.replace(files.run, config=dataclasses.replace(files.run.config, **config))
    return dataclasses.replace(files, run=run, results=files.results.model_copy(update=results or {}))


def test_results_are_those_of_the_file(files: RunFiles) -> None:
    cells = {label: value for label, value, _ in tables.results(files.results).rows}
    found = files.results
    assert cells["both right"] == percent(found.joint_accuracy)
    assert cells["inconsistent"] == percent(found.inconsistency)
    assert cells["calibration error, sum"] == percent(found.sum_calibration_error)
    assert cells["multiply-adds"] == f"{found.multiply_adds:,}"
    assert float(cells["loss, sum"]) == pytest.approx(found.sum_loss, abs=1e-4)
    assert len(set(cells)) == len(tables.results(found).rows), "each value stands there once"


def test_the_interval_counts_images_and_agrees_with_a_textbook(files: RunFiles) -> None:
    # 8 of 10: Agresti and Coull 1998, The American Statistician 52(2), give 0.49 .. 0.94.
    low, high = tables.wilson(0.8, 10)
    assert (round(low, 2), round(high, 2)) == (0.49, 0.94)
    assert tables.wilson(1.0, 360)[1] == 1
    assert tables.wilson(0.0, 360)[0] == 0
    found = files.results.model_copy(update={"joint_accuracy": 0.8, "pairs": 100})
    cells = {label: value for label, value, _ in tables.results(found).rows}
    assert cells["95 % interval"] == f"{percent(low)} – {percent(high)}"


def test_accuracy_by_number_is_left_out_where_it_says_nothing(files: RunFiles) -> None:
    same: dict[str, Any] = {"joint_accuracy_by_number": [0.99] * 10, "inconsistency_by_number": [0.0] * 10}
    assert not tables.by_number(files.results.model_copy(update=same)).rows
    varied = [0.9 + number / 100 for number in range(10)]
    found = files.results.model_copy(update={**same, "joint_accuracy_by_number": varied})
    ((label, *cells),) = tables.by_number(found).rows
    assert (label, cells[0], cells[9]) == ("both right", "90.00", "99.00")


def test_a_confusion_matrix_has_every_count_and_a_shade_for_each(files: RunFiles) -> None:
    counts = [[0] * 10 for _ in range(10)]
    counts[3] = [1, 0, 30, 9900, 69, 0, 0, 0, 0, 0]
    counts[7][1] = 40  # a digit that was never right
    table = tables.confusion(counts, "digit")
    assert table.rows[3] == ["3", "1", "", "30", "9,900", "69", *[""] * 5, percent(0.99, 1)]
    assert table.rows[7][8] == "0"  # of the diagonal, even if it is none
    assert table.rows[0][-1] == "", "a digit that never came has no accuracy"
    shades = table.shades[3]
    assert 0 <= shades[0] < shades[2] < shades[4] < shades[3] <= 1
    assert table.shades[7][1] == 1
    whole = tables.confusion(files.results.sum_confusion, "sum")
    written = sum(int(cell.replace(",", "")) for row in whole.rows for cell in row[1:-1] if cell)
    assert written == files.results.pairs


@pytest.mark.parametrize("name", models.names())
def test_layers_add_up(name: str) -> None:
    model = models.build(name)
    table = tables.layers(model)
    for column, whole in [(3, model.parameter_count()), (4, summarize(model).multiply_adds)]:
        assert sum(int(row[column].replace(",", "")) for row in table.rows) == whole
        assert table.total[column] == f"{whole:,}"


def test_layers_are_told_in_a_few_words() -> None:
    rows = tables.layers(models.build("exact-sum", "tiny")).rows
    assert [row[1] for row in rows[:3]] == ["Crop 2 a side", "PixelUnshuffle 2x2", "Conv2d 3x3, padding 1"]
    assert {"MaxPool2d 2x2", "AdaptiveAvgPool2d to 1x1", "Conv2d 3x3", "Linear"} < {row[1] for row in rows}
    assert rows[2][2] == "16 × 12 × 12"


def test_of_one_run_all_settings_are_listed_and_of_several_those_that_differ(files: RunFiles) -> None:
    alone = {row[0]: row[1] for row in tables.settings({"": files}).rows}
    config = files.run.config
    assert alone["epochs"] == str(config.recipe.epochs)
    assert alone["torch"] == config.versions["torch"]
    assert alone["data_sha256"] == config.data_sha256
    assert alone["learning_rate"] == f"{config.recipe.learning_rate:g}"
    recipe = dataclasses.replace(config.recipe, epochs=77)
    several = tables.settings({"a": files, "b": variant(files, seed=5, recipe=recipe)})
    assert several.heads == ["setting", "a", "b"]
    assert sorted(map(list, several.rows)) == [["epochs", alone["epochs"], "77"], ["seed", "0", "5"]]


def test_runs_stand_side_by_side_the_best_first_with_their_mean(files: RunFiles) -> None:
    runs = {
        "a": variant(files, {"joint_accuracy": 0.97}),
        "b": variant(files, {"joint_accuracy": 0.99}, seed=1),
        "c": variant(files, {"joint_accuracy": 0.5}, model="learned-sum"),
    }
    table = tables.runs(runs)
    assert [row[0] for row in table.rows] == ["b", "a", "c"]
    assert table.rows[0][table.heads.index("both")] == percent(0.99)
    assert all(len(row) == len(table.heads) for row in table.rows)
    assert tables.means(runs).rows == [["exact-sum on digits", "2", "98.00 ± 1.41"]]
