"""Tables say what the files say, in percent where people read."""

from __future__ import annotations

import dataclasses

import pytest

from mnist_adder.reports import tables
from mnist_adder.reports.contents import Contents
from mnist_adder.reports.style import percent


def test_facts_are_the_results(contents: Contents) -> None:
    found = {fact.field: fact.value for fact in tables.facts(contents)}
    results = contents.results
    for name in ("joint_accuracy", "digit_accuracy", "inconsistency", "sum_calibration_error"):
        assert found[name] == percent(results[name])
    for name in ("parameters", "multiply_adds", "pairs"):
        assert int(found[name].replace(",", "")) == results[name]
    assert float(found["sum_loss"]) == pytest.approx(results["sum_loss"], abs=1e-4)


def test_the_epoch_that_was_kept_is_said(contents: Contents) -> None:
    earlier = dataclasses.replace(contents, results={**contents.results, "best_epoch": 2})
    (fact,) = [fact for fact in tables.facts(earlier) if fact.field == "epochs"]
    assert "epoch 2's weights were kept" in fact.meaning


def test_epochs_are_the_metrics(contents: Contents) -> None:
    table = tables.epochs(contents.metrics)
    assert len(table.rows) == len(contents.metrics)
    for cells, row in zip(table.rows, contents.metrics, strict=True):
        assert len(cells) == len(table.heads) == sum(columns for _, columns in table.groups)
        assert cells[1] == f"{row['train_loss']:.4f}"
        assert cells[4] == percent(row["train_joint_accuracy"])
        assert cells[8] == percent(row["validation_joint_accuracy"])


def test_layers_add_up(contents: Contents) -> None:
    table = tables.layers(contents)
    assert table.total is not None
    for column, name in [(-2, "parameters"), (-1, "multiply_adds")]:
        total = sum(int(row[column].replace(",", "")) for row in table.rows)
        assert total == int(table.total[column].replace(",", "")) == contents.results[name]
    assert table.rows[0][3:6] == ["the image", "1 × 28 × 28", "1 × 24 × 24"]


def test_the_most_frequent_confusions_come_first(contents: Contents) -> None:
    counts = [[0] * 10 for _ in range(10)]
    counts[5] = [0, 0, 0, 60, 0, 1140, 0, 0, 0, 0]
    counts[4][9], counts[4][4] = 70, 930
    changed = dataclasses.replace(contents, results={**contents.results, "digit_confusion": counts})
    rows = [list(row) for row in tables.confusions(changed).rows]
    assert rows == [["4", "9", "70", "7.00\u00a0%"], ["5", "3", "60", "5.00\u00a0%"]]
