"""Scatter plots of models: points where they belong, every name beside its own and on nothing else."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from mnist_adder.evaluation.compare import Row
from mnist_adder.reports.comparison import accuracy_against_parameters, accuracy_against_seconds

Legible = Callable[[Figure], list[str]]


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
    ("draw", "column"),
    [(accuracy_against_parameters, "parameters"), (accuracy_against_seconds, "train_seconds_mean")],
)
def test_each_model_is_where_it_belongs(draw: Callable[..., Figure], column: str, legible: Legible) -> None:
    figure = draw(ROWS)
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    markers = set()
    for row, container in zip(ROWS, axes.containers, strict=True):
        point, _, (bar,) = container.lines  # type: ignore[attr-defined]
        assert np.allclose(point.get_xydata(), [[getattr(row, column), row.joint_accuracy_mean]])
        low, high = bar.get_segments()[0][:, 1]
        assert high - low == pytest.approx(2 * row.joint_accuracy_std)
        markers.add(point.get_marker())
    assert len(markers) == len(ROWS), "colour alone must not tell models apart"
    words = legible(figure)
    assert {row.model for row in ROWS} <= set(words)


def test_one_model_and_equal_models_can_be_drawn(legible: Legible) -> None:
    legible(accuracy_against_seconds(ROWS[:1]))
    same = [made_up(f"model-{place}", 1000, 1.0, 0.0, 10.0) for place in range(4)]
    assert {row.model for row in same} <= set(legible(accuracy_against_parameters(same)))
