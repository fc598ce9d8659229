"""``mnist-adder predict``."""

from __future__ import annotations

import contextlib
import io
import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from tests.cli.conftest import RunCLI
from tests.telling import APART, DASH, SEVEN, export_telling

from mnist_adder.errors import PictureError
from mnist_adder.inference.preprocess import preprocess
from mnist_adder.runs import Run


def test_json_is_one_object_and_nothing_else(run_cli: RunCLI, trained_run: Run, picture: str) -> None:
    code, out, err = run_cli("predict", picture, "7", "--run", str(trained_run.folder), "--json")
    assert (code, err) == (0, "")
    answer = json.loads(out)
    assert answer["sum"] == answer["digit"] + 7
    assert len(answer["digit_probabilities"]) == 10
    assert len(answer["sum_probabilities"]) == 19
    assert answer["is_digit"] is True
    assert answer["is_digit_probability"] is None
    assert answer["several"] is False


def test_what_may_be_no_digit_or_is_several_is_said_after_the_answer(run_cli: RunCLI, tmp_path: Path) -> None:
    folder, path = str(export_telling(tmp_path / "telling")), tmp_path / "picture.png"
    said = {}
    for name, picture in (("seven", SEVEN), ("dash", DASH), ("several", APART)):
        picture.save(path)
        code, out, err = run_cli("predict", str(path), "5", "--run", folder)
        assert (code, err) == (0, "")
        said[name] = out.splitlines()[:2]
        answer = json.loads(run_cli("predict", str(path), "5", "--run", folder, "--json")[1])
        assert (answer["is_digit"], answer["several"]) == (name == "seven", name == "several")
        assert 0 < answer["is_digit_probability"] < 1
    assert (said["seven"][0], said["seven"][1].strip()) == ("7 + 5 = 12", "")
    assert said["dash"][1] == "This may be no digit, or several (p = 0.000 for a digit)."
    assert said["several"] == ["7 + 5 = 12", "These seem to be several digits; cut out one."]


def test_a_damaged_tiff_is_one_line_too(
    trained_run: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = io.BytesIO()
    Image.new("1", (120, 160), 1).save(whole, "TIFF", compression="group4")
    chance, path, noise = random.Random(0), tmp_path / "damaged.tiff", ""
    for _ in range(200):
        damaged = bytearray(whole.getvalue())
        for _ in range(6):
            damaged[chance.randrange(8, len(damaged))] = chance.randrange(256)
        path.write_bytes(damaged)
        with contextlib.suppress(PictureError):
            preprocess(path)
        noise = capfd.readouterr().err
        if noise:
            break
    assert noise, "no file here makes the C library speak"
    command = [sys.executable, "-m", "mnist_adder", "predict", str(path), "1"]
    done = subprocess.run(
        [*command, "--run", str(trained_run.folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("mnist-adder: ")


def test_the_package_answers_whatever_there_is_in_the_working_directory(
    run_cli: RunCLI, trained_run: Run, picture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    elsewhere = run_cli("predict", picture, "8")
    code, out, err = elsewhere
    assert (code, out.splitlines()[0]) == (0, "1 + 8 = 9")
    assert err == "Answered by the weights of the package; --run names others.\n"
    shutil.copytree(trained_run.folder, tmp_path / "runs" / "worse")
    shutil.copytree(trained_run.folder, tmp_path / "default")
    assert run_cli("predict", picture, "8") == elsewhere


def test_a_run_is_named_by_its_folder_by_its_name_or_as_the_latest(
    run_cli: RunCLI, trained_run: Run, picture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run_cli("predict", picture, "8", "--run", "latest")
    assert (code, out) == (2, "")
    assert "There is no finished run in" in err
    shutil.copytree(trained_run.folder, tmp_path / "runs" / "mine")
    code, latest, err = run_cli("predict", picture, "8", "--run", "latest")
    assert (code, err) == (0, "Answered by runs/mine.\n")
    assert run_cli("predict", picture, "8", "--run", "runs/mine") == (0, latest, "")
    assert run_cli("predict", picture, "8")[1] != latest
    for name in ("best", "default", "tiny"):
        code, out, err = run_cli("predict", picture, "8", "--run", name)
        assert (code, out.splitlines()[0], err) == (0, "1 + 8 = 9", "")
