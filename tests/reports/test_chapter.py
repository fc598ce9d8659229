"""The chapter's words: what they say depends on how the run was trained and what its model is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from mnist_adder import models
from mnist_adder.reports import report
from mnist_adder.reports.chapter import fixed_spread, make_chapter
from mnist_adder.reports.contents import load_contents, parts
from mnist_adder.reproduce import train_command
from mnist_adder.runs import Run, load_run


def edit_config(folder: Path, **changed: Any) -> Run:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changed}))
    return load_run(folder)


@pytest.fixture
def copied(trained_run: Run, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained_run.folder, tmp_path / "run"))


@pytest.fixture
def on_all(trained_run: Run, copied: Path) -> Run:
    """The run as if it had been trained on all images: its metrics tell nothing of validation."""
    recipe = {**trained_run.config.to_json()["recipe"], "train_on": "all"}
    run = edit_config(copied, recipe=recipe)
    run.save_metrics(
        [
            {name: value for name, value in row.items() if not name.startswith("validation_")}
            for row in run.metrics
        ]
    )
    run.save_results({**run.results, "command": train_command(run.config)})
    return run


@pytest.mark.parametrize("name", models.names())
def test_a_sum_that_is_one_number_explains_its_calibration(copied: Path, name: str) -> None:
    contents = load_contents(edit_config(copied, model=name))
    words = fixed_spread(contents)
    if name == "argmax-regression":
        assert contents.sum_scores == 1
        assert "read from a single number (its losses: cross-entropy + mean squared error)" in words
        sections = make_chapter(contents, name, "").sections
        assert words in [section.words for section in sections]
    else:
        assert contents.sum_scores > 1
        assert words == ""


def test_a_run_without_validation_is_reported_in_full(on_all: Run) -> None:
    assert parts(on_all.metrics) == ["train"]
    page = report([on_all])
    html = page.read_text()
    assert "It was trained on all training images of digits for 3 epochs" in html
    assert "none were held out, so there are no validation figures" in html
    assert "training, dashed; no validation: all images are trained on" in html
    assert "--set train_on=all" in html
    reached = f"digit {100 * on_all.metrics[-1]['train_digit_accuracy']:.2f}"
    assert f"On the training images, after the last epoch: {reached}" in html
    assert html.count("validation</th>") == 0
    assert len(list((page.parent / "figures").iterdir())) == 10


def test_a_preset_is_drawn(copied: Path) -> None:
    contents = load_contents(edit_config(copied, preset="fast", ensemble_size=5))
    network = models.build("exact-sum", "fast")
    assert sum(layer.parameters for layer in contents.summary.layers) == network.parameter_count()
    chapter = make_chapter(contents, "exact-sum", "")
    assert chapter.command == contents.results["command"]
    assert chapter.sections[-1].words == "5 networks answer together; drawn and counted here is one."
