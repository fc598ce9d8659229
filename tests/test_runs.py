"""Run folders: what is written can be read, and what cannot be read is explained."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from mnist_adder.errors import RunError
from mnist_adder.run_config import RunConfig
from mnist_adder.runs import Run, latest_run, load_run, new_folder


@pytest.fixture
def copy(trained_run: Run, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained_run.folder, tmp_path / "copy"))


def test_a_run_folder_holds_its_files_and_nothing_else(trained_run: Run) -> None:
    names = {path.name for path in trained_run.folder.iterdir()}
    files = {"config.json", "model.safetensors", "metrics.csv", "results.json", "examples.safetensors"}
    assert names == files | {"model.onnx", "tensorboard"}


def test_config_and_metrics_come_back_as_they_were(trained_run: Run) -> None:
    opened = load_run(trained_run.folder)
    assert opened.config == trained_run.config
    assert [row["epoch"] for row in opened.metrics] == [1, 2, 3]
    assert opened.metrics[0]["train_loss"] > opened.metrics[-1]["train_loss"]


def test_a_folder_with_something_in_it_is_not_taken(copy: Path, trained_run: Run) -> None:
    with pytest.raises(RunError, match=r"copy is not empty.*--run-dir"):
        Run.create(copy, trained_run.config)


def test_a_folder_that_cannot_be_made_is_an_error(copy: Path, trained_run: Run) -> None:
    with pytest.raises(RunError, match="cannot be used as a run folder"):
        Run.create(copy / "config.json" / "below", trained_run.config)


def test_no_folder_or_not_a_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="There is no run folder"):
        load_run(tmp_path / "none")
    with pytest.raises(RunError, match=r"has no config\.json"):
        load_run(tmp_path)


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("colour", "blue", "colour"),
        ("seed", None, "seed"),
        ("recipe", {"epochs": 3}, "learning_rate"),
        ("recipe", {"epochs": "three", "learning_rate": 1.0}, "epochs"),
    ],
)
def test_a_config_of_another_kind_is_an_error(copy: Path, key: str, value: object, complaint: str) -> None:
    path = copy / "config.json"
    config = json.loads(path.read_text())
    if value is None:
        del config[key]
    else:
        config[key] = value
    path.write_text(json.dumps(config))
    with pytest.raises(RunError, match=complaint):
        load_run(copy)


@pytest.mark.parametrize("content", ["{", "[]", "\xff"])
def test_damaged_json_is_an_error(copy: Path, content: str) -> None:
    (copy / "config.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(RunError, match=r"config\.json"):
        load_run(copy)


def test_weights_that_are_missing_damaged_or_of_another_model(copy: Path) -> None:
    weights = copy / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:1000])
    with pytest.raises(RunError, match="does not hold the weights of exact-sum"):
        load_run(copy).load_model()
    weights.unlink()
    with pytest.raises(RunError, match=r"has no model\.safetensors"):
        load_run(copy).load_model()
    weights.write_bytes(whole)
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "model": "learned-sum"}))
    with pytest.raises(RunError, match="does not hold the weights of learned-sum"):
        load_run(copy).load_model()


def test_the_latest_run_is_the_one_whose_results_are_newest(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError, match="no finished run"):
        latest_run()
    for name in ("b", "a"):
        shutil.copytree(copy, tmp_path / "runs" / name)
        (tmp_path / "runs" / name / "results.json").write_text("{}")
    shutil.copytree(copy, tmp_path / "runs" / "unfinished")
    (tmp_path / "runs" / "unfinished" / "results.json").unlink()
    assert load_run().folder == Path("runs/a")


def test_a_new_folder_is_never_one_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folders = []
    for _ in range(3):
        folders.append(new_folder("exact-sum", 0))
        folders[-1].mkdir(parents=True)
    assert len(set(folders)) == 3


def test_unknown_config_keys_name_the_file(trained_run: Run) -> None:
    text = json.dumps({**trained_run.config.to_json(), "later": 1})
    with pytest.raises(RunError, match=r"here is not a config of this version.*later"):
        RunConfig.from_json(text, Path("here"))


def test_a_run_of_an_earlier_version_is_told(copy: Path) -> None:
    path = copy / "config.json"
    path.write_text(path.read_text().replace('"model":', '"design":'))
    with pytest.raises(
        RunError, match=r"model is missing. If an earlier version wrote it, train the run again"
    ):
        load_run(copy)
