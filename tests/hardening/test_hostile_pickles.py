"""Pickles wherever weights, results or pictures are read: a clear error, and nothing in them is run."""

from __future__ import annotations

import ast
import io
import os
import pickle
import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.hardening.attempts import Faults

import mnist_adder
from mnist_adder import cli
from mnist_adder.runs import Run

SOURCE = Path(mnist_adder.__file__).parent
FIVE = Path(__file__).parents[2] / "examples" / "five.png"
Ask = Callable[..., str]


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, tuple[str, int]]:
        return os.open, (str(self.marker), os.O_CREAT)


@pytest.fixture
def folder(trained_run: Run, tmp_path: Path) -> Path:
    """A finished run that may be damaged."""
    return Path(shutil.copytree(trained_run.folder, tmp_path / "run"))


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Ask:
    """Ask the command line for what it must refuse; returns the one line that it says."""

    def ask(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["mnist-adder", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capfd.readouterr()
        (line,) = [line for line in err.splitlines() if not line.startswith(("Device", "exact-sum on"))]
        assert (ended.value.code, out) == (2, "")
        assert line.startswith("mnist-adder: ")
        assert len(line) < 600
        assert line.isprintable()
        return line

    return ask


def pickles(marker: Path) -> dict[str, bytes]:
    """Files that make ``marker`` for whoever unpickles them."""
    saved, arrays, archive = io.BytesIO(), io.BytesIO(), io.BytesIO()
    torch.save({"state_dict": Payload(marker)}, saved)
    np.save(arrays, np.array([Payload(marker)], dtype=object), allow_pickle=True)
    np.savez(archive, weights=np.array([Payload(marker)], dtype=object))
    return {
        "pickle": pickle.dumps(Payload(marker), protocol=2),  # as torch writes them
        "checkpoint": saved.getvalue(),
        "npy": arrays.getvalue(),
        "npz": archive.getvalue(),
    }


def commands(folder: Path, file: str, port: int) -> list[tuple[object, ...]]:
    """The commands that read a file of a run."""
    evaluate, export = ("evaluate", folder), ("export", folder, "--out", folder.parent / "out.onnx")
    predict, serve = ("predict", FIVE, 7, "--run", folder), ("serve", "--run", folder, "--port", port)
    page, resume = ("report", folder), ("train", "--resume", folder)
    readers: dict[str, list[tuple[object, ...]]] = {
        "config.json": [evaluate, export, page, resume],
        "model.safetensors": [evaluate, export],
        "model.onnx": [predict, serve, (*export, "--int8")],
        "results.json": [export, page],
        "metrics.csv": [page],
        "examples.safetensors": [page],
    }
    return readers[file]


FILES = [
    "config.json",
    "model.safetensors",
    "model.onnx",
    "results.json",
    "metrics.csv",
    "examples.safetensors",
]


@pytest.mark.parametrize("file", FILES)
def test_what_is_pickled_is_not_run(file: str, folder: Path, refused: Ask, faults: Faults) -> None:
    marker = folder.parent / "was run"
    kinds = pickles(marker)
    np.load(io.BytesIO(kinds["npy"]), allow_pickle=True)
    assert marker.exists()  # it is no dud
    marker.unlink()
    with socket.socket() as taken:  # lest a service starts
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        for content in kinds.values():
            (folder / file).write_bytes(content)
            for command in commands(folder, file, taken.getsockname()[1]):
                with faults("a pickle in a run folder, asked about by a command"):
                    assert file in refused(*command)
                    assert not marker.exists()


def test_a_pickled_checkpoint_is_not_run_when_training_carries_on(
    folder: Path, refused: Ask, faults: Faults
) -> None:
    marker = folder.parent / "was run"
    (folder / "results.json").unlink()
    (folder / "checkpoints").mkdir()
    for content in pickles(marker).values():
        with faults("a pickle as the checkpoint of a training that is carried on"):
            (folder / "checkpoints" / "last.ckpt").write_bytes(content)
            assert "last.ckpt is damaged" in refused("train", "--resume", folder)
            assert not marker.exists()


def test_a_pickle_is_no_picture(tmp_path: Path, refused: Ask, faults: Faults) -> None:
    marker = tmp_path / "was run"
    for kind, content in pickles(marker).items():
        with faults("a pickle as a picture"):
            path = tmp_path / f"picture.{kind}"
            path.write_bytes(content)
            assert "not a picture of a known kind" in refused("predict", path, 7, "--run", "tiny")
            assert not marker.exists()


# What unpickles, or runs text; torch.load may, with weights_only.
FORBIDDEN_MODULES = {"marshal", "shelve", "dill", "cloudpickle", "joblib", "yaml", "jsonpickle", "runpy"}
FORBIDDEN_NAMES = {"eval", "exec", "compile", "__import__"}
FORBIDDEN_ENDS = ("load_from_checkpoint", "jit.load", "hub.load", "read_pickle", "onnx.load_model")


def unsafe(source: str) -> list[str]:
    """The statements and calls in some Python that may unpickle, or run, what they read."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
            bad = bool(FORBIDDEN_MODULES.intersection(name.split(".")[0] for name in names))
            bad = bad or (isinstance(node, ast.ImportFrom) and names == ["pickle"])
        elif isinstance(node, ast.Attribute):
            bad = ast.unparse(node.value) == "pickle" and node.attr != "UnpicklingError"
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            options = {option.arg: ast.unparse(option.value) for option in node.keywords}
            bad = called in FORBIDDEN_NAMES or called.endswith(FORBIDDEN_ENDS)
            bad = bad or {options.get(name, "False") for name in ("allow_pickle", "shell")} != {"False"}
            loads = called == "torch.load" or "ckpt_path" in options
            bad = bad or (loads and options.get("weights_only") != "True")
        else:
            continue
        if bad:
            found.append(ast.unparse(node))
    return found


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_line_of_the_source_unpickles_or_runs_what_it_reads(path: Path) -> None:
    assert unsafe(path.read_text()) == []


@pytest.mark.parametrize(
    "line",
    [
        "import joblib",
        "from yaml import load",
        "from pickle import loads",
        "pickle.loads(content)",
        "eval(text)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "trainer.fit(module, ckpt_path=path)",
        "Module.load_from_checkpoint(path)",
        "np.load(path, allow_pickle=True)",
        "subprocess.run(words, shell=True)",
    ],
)
def test_a_line_that_does_would_be_seen(line: str) -> None:
    (found,) = unsafe(f"def f():\n    {line}\n")
    assert line.startswith(found)


def test_what_is_safe_is_let_pass() -> None:
    lines = ["import pickle", "torch.load(path, weights_only=True)", "error = pickle.UnpicklingError"]
    assert unsafe("\n".join(lines)) == []
