"""What is no model.onnx of ours is refused, and nothing in it is run."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch

from mnist_adder.errors import RunError
from mnist_adder.inference import Predictor
from mnist_adder.inference.session import append_checksum
from mnist_adder.runs import Run


def change(edit: Callable[[Any], None]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        model = onnx.load(path)
        edit(model)
        path.write_bytes(append_checksum(model.SerializeToString()))

    return damage


def rename(model: Any) -> None:
    model.graph.input[1].name = "other"
    for node in model.graph.node:
        node.input[:] = ["other" if name == "number" else name for name in node.input]


def freeze(model: Any) -> None:
    for value in model.graph.input:
        value.type.tensor_type.shape.dim[0].dim_value = 1


def drop_an_output(model: Any) -> None:
    del model.graph.output[0]


def move_weights_out(path: Path) -> None:
    onnx.save_model(
        onnx.load(path), path, save_as_external_data=True, location="weights.bin", size_threshold=0
    )
    assert (path.parent / "weights.bin").exists()
    path.write_bytes(append_checksum(path.read_bytes()))


def hide_that(path: Path) -> None:
    """The same, with the length of the key encoded in two bytes."""
    move_weights_out(path)
    path.write_bytes(append_checksum(path.read_bytes().replace(b"\x0a\x08location", b"\x0a\x88\x00location")))


class Payload:
    """Makes a folder when it is unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, ("unpickled",)


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda path: path.write_bytes(b""), "no ONNX file"),
        (lambda path: path.write_bytes(b"not a model"), "no ONNX file"),
        (lambda path: path.write_bytes(path.read_bytes()[:-5000]), "damaged"),
        (lambda path: path.write_bytes(path.read_bytes()[:4] + b"ORTM" + bytes(100)), "no ONNX file"),
        (lambda path: path.write_bytes(pickle.dumps(Payload())), "no ONNX file"),
        (lambda path: torch.save({"weights": torch.zeros(3)}, path), "no ONNX file"),
        (change(rename), r"something else: it has .*\bother\b.* must have .*\bnumber\b"),
        (change(freeze), "something else: it has image tensor.float. .1, 1, 28, 28"),
        (change(drop_an_output), "something else: it has sum .* must have digit"),
        (move_weights_out, "weights in other files"),
        (hide_that, "weights in other files"),
        (lambda path: path.unlink(), r"has no model\.onnx.*mnist-adder export RUN"),
        (lambda path: (path.unlink(), path.mkdir()), "cannot be read"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_any_other_file_is_refused_in_one_line(
    damage: Callable[[Path], None],
    complaint: str,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(run.folder)
    damage(run.folder / "model.onnx")
    with pytest.raises(RunError, match=complaint) as caught:
        Predictor(run)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")
    assert not Path("unpickled").exists()
