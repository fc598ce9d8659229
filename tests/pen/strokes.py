"""A few strokes, written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mnist_adder.data.strokes import ARRAY_FILES

ONE = [np.array([[0.0, 0.0], [0.0, 1000.0]])]
SEVEN = [np.array([[0.0, 0.0], [700.0, 0.0], [200.0, 1000.0]]), np.array([[150.0, 500.0], [600.0, 500.0]])]
ZERO = [np.array([[0.0, 500.0], [400.0, 0.0], [800.0, 500.0], [400.0, 1000.0], [0.0, 500.0]])]
CROSS = [np.array([[0.0, 0.0], [1000.0, 1000.0]]), np.array([[1000.0, 0.0], [0.0, 1000.0]])]


def write_arrays(folder: Path) -> None:
    """The two files of arrays: a one and a seven, whose writer is held out, and a cross."""
    folder.mkdir(exist_ok=True)
    for name, key, samples, labels, validation in (
        (ARRAY_FILES[0], "digits", [ONE, SEVEN], np.array([1, 7], np.uint8), [False, True]),
        (ARRAY_FILES[1], "characters", [CROSS], np.array(["X"]), [True]),
    ):
        strokes = [stroke for sample in samples for stroke in sample]
        arrays: dict[str, Any] = {
            "points": np.concatenate(strokes).astype(np.int16),
            "stroke_starts": np.cumsum([0, *map(len, strokes)]).astype(np.int32),
            "sample_starts": np.cumsum([0, *map(len, samples)]).astype(np.int32),
            "validation": np.array(validation),
            key: labels,
        }
        np.savez(folder / name, **arrays)
