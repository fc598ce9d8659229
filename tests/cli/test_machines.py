"""Terminals, encodings and machines that people have: nothing ends in a traceback."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import RunCLI

from mnist_adder import cli
from mnist_adder.runs import Run

FIVE = Path(__file__).parents[2] / "examples" / "five.png"
QUICK = ("--dataset", "digits", "--set", "batch_size=64")

Printed = tuple[int, str, str]


@pytest.fixture
def run_encoded(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Printed]:
    """Run a command with standard streams of another encoding, as Windows and ``LC_ALL=C`` give them."""

    def run(encoding: str, *arguments: str) -> Printed:
        streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True) for _ in range(2)]
        monkeypatch.setattr(sys, "stdout", streams[0])
        monkeypatch.setattr(sys, "stderr", streams[1])
        monkeypatch.setattr(sys, "argv", ["mnist-adder", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = (stream.buffer.getvalue().decode(encoding) for stream in streams)
        return int(ended.value.code or 0), out, err

    return run


@pytest.mark.parametrize("encoding", ["cp1252", "cp932", "ascii"])
@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["predict", str(FIVE), "7"], "5 + 7 = 12"),
        (["predict", str(FIVE), "7", "--json"], '"sum": 12'),
        (["models"], "exact-sum"),
        (["--help"], "predict"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value[:1]),
)
def test_answers_in_any_encoding(
    run_encoded: Callable[..., Printed], encoding: str, arguments: list[str], shown: str
) -> None:
    code, out, _ = run_encoded(encoding, *arguments)
    assert code == 0
    assert shown in out


def test_every_other_command_in_ascii(
    run_encoded: Callable[..., Printed], trained_run: Run, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained_run.folder, run)
    for arguments, shown in [
        (["train", "--epochs", "1", *QUICK, "--run-dir", str(tmp_path / "new")], "Run folder:"),
        (["compare", "exact-sum", "--dataset", "digits", "--seeds", "2", "--epochs-scale", "0.1",
          "--runs-dir", str(tmp_path / "runs"), "--out", str(tmp_path / "compared")], "+-"),
        (["evaluate", str(run)], "digit"),
        (["report", str(run)], "report.html"),
        (["export", str(run), "--out", str(tmp_path / "model.onnx")], "model.onnx"),
        (["find-lr", *QUICK, "--out", str(tmp_path / "rates")], "Suggested learning rate"),
        (["speedrun", "--dataset", "digits", "--run-dir", str(tmp_path / "fast")], "Run folder:"),
        (["worksheet", "--out", str(tmp_path / "sheet.xlsx")], "sheet.xlsx"),
    ]:  # fmt: skip
        code, out, err = run_encoded("ascii", *arguments)
        assert (code, shown in out) == (0, True), (arguments, out, err)
        assert "Traceback" not in err


def test_a_notebooks_backend_and_a_missing_home_do_not_matter(trained_run: Run, tmp_path: Path) -> None:
    """``!mnist-adder`` in a notebook inherits a backend that this environment may not have."""
    run = tmp_path / "run"
    shutil.copytree(trained_run.folder, run)
    environment = os.environ | {"HOME": "/proc/nobody", "MPLBACKEND": "a notebook's", "TMPDIR": str(tmp_path)}
    environment.pop("MPLCONFIGDIR", None)
    command = [sys.executable, "-m", "mnist_adder", "report", str(run)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_picture_from_standard_input() -> None:
    command = [sys.executable, "-m", "mnist_adder", "predict", "-", "7"]
    with FIVE.open("rb") as picture:
        done = subprocess.run(command, stdin=picture, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("5 + 7 = 12")


def test_picture_and_number_exchanged(run_cli: RunCLI) -> None:
    code, _, err = run_cli("predict", "7", str(FIVE))
    assert code == 2
    assert err.endswith(f"predict {FIVE} 7\n")


@pytest.mark.parametrize("name", ["fünf ☃ 五.png", "-5.png", "two\nlines.png"])
def test_any_name_of_a_picture(name: str, tmp_path: Path, run_cli: RunCLI) -> None:
    shutil.copy(FIVE, tmp_path / name)
    code, out, _ = run_cli("predict", str(tmp_path / name), "7")
    assert (code, out.splitlines()[0]) == (0, "5 + 7 = 12")


def test_without_docstrings_and_assertions() -> None:
    command = [sys.executable, "-OO", "-m", "mnist_adder", "predict", str(FIVE), "7"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("5 + 7 = 12")


DROPPED = """
import signal, sys, time
from mnist_adder.cli.app import _keeping_interrupts

class Deaf:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)  # Python cannot raise it here, and drops it

with _keeping_interrupts():
    try:
        Deaf()
        time.sleep(5)
    except KeyboardInterrupt:
        print("heard")
"""


def test_ctrl_c_is_heard_wherever_it_comes() -> None:
    done = subprocess.run([sys.executable, "-c", DROPPED], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("heard\n", "")
