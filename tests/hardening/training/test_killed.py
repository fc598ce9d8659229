"""Trainings are killed at any moment and end as if they had not been; and a run belongs to one at a time."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import RunCLI
from tests.hardening.attempts import Faults
from tests.training.commands import Command, assert_same_end

from mnist_adder.runs import load_run

SMALL = ("--dataset", "digits", "--epochs", "3", "--set", "weight_averaging=swa", "--set", "swa_start=0.3")
EARLY = (
    "--dataset",
    "digits",
    "--patience",
    "2",
    "--set",
    "schedule=constant",
    "--set",
    "learning_rate=0.02",
)
ENSEMBLE = ("--ensemble", "2", "--dataset", "digits", "--epochs", "1")


Whole = Callable[..., tuple[Path, float]]


def undisturbed(folder: Path, *words: str) -> tuple[Path, float]:
    """A run that nobody stops, and the seconds it took."""
    command = Command("train", *words, "--run-dir", folder / "run", log=folder / "log")
    began = time.monotonic()
    assert command.end() == 0, command.said
    return folder / "run", time.monotonic() - began


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """Undisturbed runs by the words of their command, each made once."""
    made: dict[tuple[str, ...], tuple[Path, float]] = {}

    def run(*words: str) -> tuple[Path, float]:
        if words not in made:
            made[words] = undisturbed(tmp_path_factory.mktemp("whole"), *words)
        return made[words]

    return run


def next_words(folder: Path, *words: str) -> list[str]:
    """What begins a run, or carries it on where there is one."""
    if (folder / "config.json").exists():
        return ["train", "--resume", str(folder)]
    return ["train", *words, "--run-dir", str(folder)]


def start(folder: Path, *words: str) -> Command:
    """Begin a run, or carry it on, in a process of its own."""
    return Command(*next_words(folder, *words), log=folder.with_suffix(".log"))


def carry_on(run_cli: RunCLI, folder: Path, *words: str) -> None:
    """Begin a run, or carry it on, to its end."""
    code, out, err = run_cli(*next_words(folder, *words))
    assert code == 0, err
    assert f"Run folder: {folder}" in out


def writes_one(folder: Path) -> bool:
    return any((folder / "checkpoints").glob(".last.ckpt*"))


@pytest.mark.parametrize(
    ("kind", "words", "times", "in_suite"),
    [
        ("kill -9 of a training, at a random moment", SMALL, 20, 1),
        ("kill -9 of a training with --patience", EARLY, 5, 1),
        ("kill -9 of an ensemble", ENSEMBLE, 5, 1),
    ],
)
def test_a_killed_training_carries_on_to_the_same_end(
    kind: str,
    words: tuple[str, ...],
    times: int,
    in_suite: int,
    whole: Whole,
    run_cli: RunCLI,
    faults: Faults,
    tmp_path: Path,
) -> None:
    chance = random.Random(kind)
    for attempt in faults.times(times, in_suite):
        with faults(kind):
            expected, seconds = whole(*words)
            folder = tmp_path / f"killed{attempt}"
            for _ in range(2):  # what carries it on is killed as well
                command = start(folder, *words)
                command.process.join(chance.uniform(0, seconds))
                command.kill()
            assert "Traceback" not in command.said
            carry_on(run_cli, folder, *words)
            assert_same_end(folder, expected)


def test_killed_while_it_writes_one(whole: Whole, run_cli: RunCLI, faults: Faults, tmp_path: Path) -> None:
    expected, _ = whole(*SMALL)
    for attempt in faults.times(20, 1):
        with faults("kill -9 in the middle of writing a checkpoint"):
            folder = tmp_path / f"killed{attempt}"
            while not writes_one(folder):  # those that were too late are carried on, and killed again
                command = start(folder, *SMALL)
                while not writes_one(folder) and command.process.is_alive():
                    pass
                command.kill()
                assert not (folder / "results.json").exists(), "never caught at writing"
            carry_on(run_cli, folder, *SMALL)
            assert_same_end(folder, expected)


def comparison(folder: Path) -> list[str]:
    words = ["compare", "exact-sum", "shared-trunk", "--dataset", "digits", "--seeds", "1"]
    words += ["--epochs-scale", "0.25", "--runs-dir", str(folder)]
    return [*words, "--out", str(folder.with_suffix(".out"))]


def test_a_killed_comparison_carries_on(run_cli: RunCLI, faults: Faults, tmp_path: Path) -> None:
    expected, chance = tmp_path / "whole", random.Random(0)
    for attempt in faults.times(5, 1):
        with faults("kill -9 of a comparison"):
            folder = tmp_path / f"killed{attempt}"
            for _ in range(2):
                command = Command(*comparison(folder), log=folder.with_suffix(".log"))
                command.process.join(chance.uniform(0, 4))
                command.kill()
            for each in (folder, expected):  # the second time that is a look at what is there
                code, _, err = run_cli(*comparison(each))
                assert code == 0, err
            for name in ("exact-sum-seed0", "shared-trunk-seed0"):
                assert_same_end(folder / name, expected / name)


def test_ctrl_c_at_any_moment_ends_cleanly_and_says_how_to_carry_on(
    whole: Whole, run_cli: RunCLI, faults: Faults, tmp_path: Path
) -> None:
    chance = random.Random(3)  # the first of them is in the middle of training
    for attempt in faults.times(20, 1):
        with faults("Ctrl-C at a random moment of a training"):
            expected, seconds = whole(*SMALL)
            folder = tmp_path / f"stopped{attempt}"
            command = start(folder, *SMALL)
            while not (folder / "config.json").exists():
                assert command.process.is_alive(), command.said
            command.process.join(chance.uniform(0, seconds))
            if command.process.is_alive():
                os.kill(command.process.pid or 0, signal.SIGINT)
            stopped = command.end() != 0
            assert stopped or attempt > 0  # the first one comes in time
            assert "Traceback" not in command.said
            if stopped and not (folder / "results.json").exists():
                assert command.process.exitcode == 130
                assert f"Stopped. Resume with: mnist-adder train --resume {folder}" in command.said
            carry_on(run_cli, folder, *SMALL)
            assert_same_end(folder, expected)


def test_a_second_start_on_a_run_in_use_is_refused_until_its_process_is_gone(
    run_cli: RunCLI, faults: Faults, tmp_path: Path
) -> None:
    folder = tmp_path / "runs" / "exact-sum-seed0"
    command = Command(
        "train", "--dataset", "digits", "--epochs", "1000", "--run-dir", folder, log=tmp_path / "log"
    )
    while not (folder / "checkpoints" / "last.ckpt").exists():
        assert command.process.is_alive(), command.said
    before = load_run(folder).config
    same = ["--dataset", "digits"]
    for words in (
        ["train", *same, "--run-dir", str(folder)],
        ["train", "--resume", str(folder)],
        ["compare", "exact-sum", *same, "--epochs-scale", "125", "--runs-dir", str(folder.parent)],
    ):
        with faults("a second start on a run in use"):
            code, out, err = run_cli(*words)
            assert (code, out) == (2, "")
            assert f"mnist-adder: {folder} is in use" in err
            assert "Traceback" not in err
    assert load_run(folder).config == before
    command.kill()
    with faults("a start after the one that used the run was killed"):
        carried_on = start(folder)
        while "resumes after epoch" not in carried_on.said:
            assert carried_on.process.is_alive(), carried_on.said
        carried_on.kill()
