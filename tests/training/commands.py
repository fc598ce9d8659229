"""The command line in processes that start in no time and can be killed: forks of one that imported all."""

from __future__ import annotations

import multiprocessing
import os
import sys
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import torch

from mnist_adder.runs import Run, load_run

_CONTEXT = multiprocessing.get_context("forkserver")
_OURS = ["mnist_adder.cli", "mnist_adder.training", "mnist_adder.reports"]
_LATER = [
    "onnx",
    "onnxruntime",
    "torch.onnx.utils",
    "sklearn.datasets",
]  # what these import when they need it
_CONTEXT.set_forkserver_preload([*_OURS, *_LATER])


class Command:
    """``mnist-adder`` with some words, running; what it prints goes to a file.

    Args:
        words: its arguments.
        log: the file.
    """

    def __init__(self, *words: str | Path, log: Path) -> None:
        self.log = log
        log.touch()
        self.process: ForkServerProcess = _CONTEXT.Process(target=_run, args=([*map(str, words)], log))
        self.process.start()

    def end(self, within_seconds: float = 120) -> int:
        """Wait for its end; returns its exit code."""
        self.process.join(within_seconds)
        assert self.process.exitcode is not None, f"it runs on: {self.said}"
        return self.process.exitcode

    def kill(self) -> None:
        """SIGKILL, which a process that has ended does not mind."""
        self.process.kill()
        self.process.join()

    @property
    def said(self) -> str:
        """What it printed so far, to either output."""
        return self.log.read_text()


def _run(words: list[str], log: Path) -> None:
    handle = os.open(log, os.O_WRONLY | os.O_APPEND)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    sys.argv = ["mnist-adder", *words]
    from mnist_adder.cli import main

    main()


def assert_same_end(one: Path, other: Path) -> None:
    """Two run folders have the same weights and figures, bit for bit, and the same files."""
    run, expected = load_run(one), load_run(other)
    assert same_weights(run, expected)
    figures, wanted = _figures(run), _figures(expected)
    others = {name: value for name, value in figures.items() if value != wanted.get(name)}
    assert not others, others
    files = [{str(path.relative_to(run.folder)) for path in _own_files(run)} for run in (run, expected)]
    assert files[0] == files[1], files[0] ^ files[1]


def same_weights(one: Run, other: Run) -> bool:
    """Whether the trained networks are the same, bit for bit."""
    weights, others = one.load_model().state_dict(), other.load_model().state_dict()
    return all(torch.equal(weights[name], others[name]) for name in weights)


def _figures(run: Run) -> dict[str, object]:
    """All of results and metrics but times, and the source's commit, which may change while tests run."""
    others = {"train_seconds", "commit"}
    results = {name: value for name, value in run.results.items() if name not in others}
    return {**results, "metrics": [{**row, "seconds": 0} for row in run.metrics]}


def _own_files(run: Run) -> list[Path]:
    """All files but curves and report: their names may differ, or they are not made by all commands."""
    others = {"tensorboard", "report"}
    paths = [path for path in run.folder.rglob("*") if path.is_file()]
    return [path for path in paths if not others & set(path.relative_to(run.folder).parts)]
