"""The command line as a user meets it: what it prints, where, and how it ends."""

from __future__ import annotations

import contextlib
import io
import json
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from mnist_adder import __version__, cli, designs
from mnist_adder.errors import PictureError
from mnist_adder.inference import preprocess
from mnist_adder.runs import Run, load_run

RunCLI = Callable[..., tuple[int, str, str]]
"""Arguments in; exit code, standard output and standard error out."""


@pytest.fixture
def run_cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> RunCLI:
    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mnist-adder", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        code = ended.value.code
        return (code if isinstance(code, int) else 0), out, err

    return run


@pytest.fixture
def picture(tmp_path: Path) -> str:
    image = Image.new("RGB", (120, 160), "white")
    ImageDraw.Draw(image).line([(60, 20), (60, 140)], fill="navy", width=12)
    path = tmp_path / "one.png"
    image.save(path)
    return str(path)


def test_help_names_every_command_and_every_command_has_an_example(run_cli: RunCLI) -> None:
    code, out, _ = run_cli("--help")
    assert code == 0
    for command in ("train", "evaluate", "predict", "designs"):
        assert command in out
        code, its_help, _ = run_cli(command, "--help")
        assert code == 0
        assert f"Example: mnist-adder {command}" in its_help


def test_version(run_cli: RunCLI) -> None:
    assert run_cli("--version") == (0, f"mnist-adder {__version__}\n", "")


def test_designs_lists_all_of_them(run_cli: RunCLI) -> None:
    code, out, _ = run_cli("designs")
    assert code == 0
    for name in designs.names():
        assert name in out
    rows = json.loads(run_cli("designs", "--json")[1])["designs"]
    assert {row["name"]: row["parameters"] for row in rows}["binary-sum"] == 6_772_272


def test_train_then_evaluate_then_predict(run_cli: RunCLI, tmp_path: Path, picture: str) -> None:
    folder = tmp_path / "run"
    code, out, err = run_cli(
        "train",
        "exact-sum",
        "--dataset",
        "digits",
        "--epochs",
        "2",
        "--run-dir",
        str(folder),
        "--set",
        "batch_size=64",
    )
    assert code == 0
    assert f"The run lies in {folder}" in out
    assert "predict PICTURE NUMBER" in out
    assert "digits" in out
    assert "scikit-learn" in err
    assert "  2/2 " in err
    results = load_run(folder).results
    assert results["recipe"]["batch_size"] == 64

    code, out, _ = run_cli("evaluate", str(folder))
    assert code == 0
    assert f"{100 * results['joint_accuracy']:.2f}" in out

    code, out, _ = run_cli("evaluate", str(folder), "--json")
    assert json.loads(out)["joint_accuracy"] == pytest.approx(results["joint_accuracy"], abs=1e-6)

    code, out, err = run_cli("predict", picture, "7", "--run", str(folder))
    assert (code, err) == (0, "")
    assert " + 7 = " in out


def test_json_is_one_object_and_nothing_else(run_cli: RunCLI, trained_run: Run, picture: str) -> None:
    code, out, err = run_cli("predict", picture, "7", "--run", str(trained_run.folder), "--json")
    assert (code, err) == (0, "")
    answer = json.loads(out)
    assert answer["sum"] == answer["digit"] + 7
    assert len(answer["digit_probabilities"]) == 10
    assert len(answer["sum_probabilities"]) == 19


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["train", "exact-sun"], "Did you mean exact-sum"),
        (["train", "--set", "epochs"], "has no value"),
        (["train", "--set", "epoch=1", "--dataset", "digits"], "Did you mean epochs"),
        (["train", "--epochs", "0"], "at least 1"),
        (["train", "--dataset", "mnist", "--data-dir", "nowhere"], "nowhere"),
        (["evaluate", "nowhere"], "There is no run folder nowhere"),
        (["predict", "PICTURE", "10", "--run", "RUN"], "whole number from 0 to 9"),
        (["predict", "PICTURE", "2.5", "--run", "RUN"], "whole number from 0 to 9"),
        (["predict", "nothing.png", "1", "--run", "RUN"], "nothing.png"),
        (["predict", "RUN/config.json", "1", "--run", "RUN"], "config.json"),
        (["predict", "PICTURE", "1", "--run", "nowhere"], "There is no run folder nowhere"),
    ],
)
def test_a_mistake_is_one_line_on_standard_error_and_exit_code_2(
    run_cli: RunCLI, arguments: list[str], complaint: str, trained_run: Run, picture: str
) -> None:
    filled = [a.replace("PICTURE", picture).replace("RUN", str(trained_run.folder)) for a in arguments]
    code, out, err = run_cli(*filled)
    assert (code, out) == (2, "")
    assert complaint in err
    assert err.startswith("mnist-adder: ")
    assert err.count("\n") == 1


def test_ctrl_c_says_how_to_carry_on(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "mnist_adder", "train", "--dataset", "digits", "--epochs", "1000"]
    with subprocess.Popen(
        [*command, "--run-dir", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("  2/1000"):
                process.send_signal(signal.SIGINT)
                break
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert err.endswith(f"Stopped. Carry on with: mnist-adder train --resume {folder}\n")
    assert "Traceback" not in err
    assert len(load_run(folder).metrics) >= 2


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


def test_without_a_run_predict_says_how_to_make_one(
    run_cli: RunCLI, picture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = run_cli("predict", picture, "1")
    assert code == 2
    assert "mnist-adder train" in err


def test_the_module_and_the_installed_command_are_the_same() -> None:
    for command in (
        [sys.executable, "-m", "mnist_adder"],
        [str(Path(sys.executable).with_name("mnist-adder"))],
    ):
        done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
        assert done.stdout == f"mnist-adder {__version__}\n"
