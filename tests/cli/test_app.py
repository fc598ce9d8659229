"""The command line as a user meets it: its help, its version, and how it ends when something is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.conftest import RunCLI

from mnist_adder import __version__, models
from mnist_adder.cli.app import DEFAULT_MODEL
from mnist_adder.runs import Run

FIVE = Path(__file__).parents[2] / "examples" / "five.png"


def test_help_names_every_command_and_every_command_has_an_example(run_cli: RunCLI) -> None:
    code, out, _ = run_cli("--help")
    assert code == 0
    for command in (
        "train",
        "find-lr",
        "compare",
        "evaluate",
        "report",
        "predict",
        "models",
        "export",
        "serve",
        "speedrun",
        "worksheet",
    ):
        assert command in out
        code, its_help, _ = run_cli(command, "--help")
        assert code == 0
        assert f"Example: mnist-adder {command}" in its_help


def test_the_default_model_is_the_models_own() -> None:
    assert models.DEFAULT == DEFAULT_MODEL


def test_version(run_cli: RunCLI) -> None:
    assert run_cli("--version") == (0, f"mnist-adder {__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["train", "exact-sun"], "Did you mean exact-sum"),
        (["train", "--set", "epochs"], "has no value"),
        (["train", "--set", "epoch=1", "--dataset", "digits"], "Did you mean epochs"),
        (["train", "--epochs", "0"], "epochs is 0: it should be greater than or equal to 1"),
        (["train", "--dataset", "mnist", "--data-dir", "nowhere"], "nowhere"),
        (["compare", "exact-sun"], "Did you mean exact-sum"),
        (["compare", "--epochs-scale", "0", "--dataset", "digits"], "must be above 0"),
        (["find-lr", "exact-sun"], "Did you mean exact-sum"),
        (["report", "nowhere"], "There is no run folder nowhere"),
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


def test_the_module_and_the_installed_command_are_the_same() -> None:
    for command in (
        [sys.executable, "-m", "mnist_adder"],
        [str(Path(sys.executable).with_name("mnist-adder"))],
    ):
        done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
        assert done.stdout == f"mnist-adder {__version__}\n"


@pytest.mark.parametrize(("encoding", "bar"), [("ascii", "###"), ("cp1252", "###"), ("utf-8", "███")])
def test_any_encoding_can_print_the_answer(encoding: str, bar: str) -> None:
    command = [sys.executable, "-m", "mnist_adder", "predict", str(FIVE), "7"]
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    done = subprocess.run(command, env=environment, capture_output=True, encoding=encoding, check=True)
    assert done.stdout.startswith("5 + 7 = 12")
    assert bar in done.stdout


def test_what_an_encoding_lacks_is_replaced(capfd: pytest.CaptureFixture[str]) -> None:
    code = (
        "from mnist_adder.cli.output import print_plainly_if_needed;"
        "print_plainly_if_needed(); print('99 ± 1 – 3 × ★')"
    )
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert capfd.readouterr().out == "99 +- 1 - 3 x ?\n"
