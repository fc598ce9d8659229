"""What the tests of inference share: a run that may be changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mnist_adder.inference import export_run
from mnist_adder.runs import Run


@pytest.fixture
def run(trained_run: Run, tmp_path: Path) -> Run:
    """A copy of the trained run, with its model.onnx."""
    copy = Run(shutil.copytree(trained_run.folder, tmp_path / "run"), trained_run.config)
    assert export_run(copy.folder) == copy.folder / "model.onnx"
    return copy
