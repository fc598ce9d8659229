"""Run folders that are damaged, or of another version or model: a clear error on one line."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load, save
from tests.hardening.attempts import Faults

from mnist_adder.errors import MnistAdderError, RunError
from mnist_adder.inference import Predictor
from mnist_adder.models import Adder
from mnist_adder.reports import report
from mnist_adder.runs import Run, load_run


@pytest.fixture
def folder(trained_run: Run, tmp_path: Path) -> Path:
    """A finished run that may be damaged."""
    return Path(shutil.copytree(trained_run.folder, tmp_path / "run"))


def test_a_model_is_never_imported_by_a_name_of_the_config(folder: Path) -> None:
    for name in ("os", "..runs", "exact_sum", "exact-sum.py", "base", "ensemble", "../../etc/passwd"):
        change(folder, model=name)
        with pytest.raises(RunError, match="There is no model"):
            load_run(folder).load_model()


def change(folder: Path, **values: object) -> None:
    """Put other values into config.json."""
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


NO_TEXTS: list[object] = [None, 7, True, ["exact-sum"], {"a": 1}]
NO_COUNTS: list[object] = [None, "1", 0, -1, 1.0, True, [1], 10**30]
WRONG_VALUES: dict[str, list[object]] = {
    **dict.fromkeys(["model", "data_sha256", "device"], NO_TEXTS),
    "preset": [7, [], {}],
    "commit": [7, [], {}],
    **dict.fromkeys(["devices", "nodes", "threads"], NO_COUNTS),
    "ensemble_size": [*NO_COUNTS, 101, 10**9],
    "seed": [None, "1", -1, 1.0, True, 2**32],
    "dataset": ["imagenet", *NO_TEXTS],
    "precision": ["16-mixed", *NO_TEXTS],
    "versions": [None, 7, "1", ["torch"]],
    "recipe": [None, 7, "fast", [1], {}, {"epochs": 1}, {"epochs": 1, "learning_rate": 1, "colour": 1}],
    "written_by_a_later_version": [1],
    "two\nlines \x1b[31m": [1],
}
WRONG_SETTINGS: dict[str, list[object]] = {
    "epochs": [None, "3", 0, -1, 1.5, True, [3], 10**400],
    "batch_size": [None, 1, "64", 2.0, {}],
    "learning_rate": [None, 0, -1.0, "fast", [0.1], 10**400, {}],
    "optimizer": [None, "os.system", [], {}],
    "weight_averaging": [None, "all", ["ema"]],
    "warmup_fraction": [0, 1, "0.3", None],
}
NO_OBJECTS = {
    "empty": b"",
    "text": b"no JSON",
    "cut off": b'{"model": "exact-sum"',
    "list": b"[]",
    "number": b"7",
    "no UTF-8": b'{"model": "\xff"}',
    "zeros": bytes(100),
    "nested lists": b"[" * 200_000,
    "nested objects": b'{"a":' * 200_000,
    "huge": b" " * 6_000_000,
    "long number": b'{"seed": ' + b"9" * 5000 + b"}",
    "NaN": b'{"seed": NaN}',
    "infinity": b'{"seed": -Infinity}',
}


def test_configs_of_other_kinds(folder: Path, faults: Faults) -> None:
    whole = (folder / "config.json").read_bytes()
    recipe = json.loads(whole)["recipe"]
    changes = [{key: value} for key, values in WRONG_VALUES.items() for value in values]
    changes += [
        {"recipe": {**recipe, key: value}} for key, values in WRONG_SETTINGS.items() for value in values
    ]
    for values in changes:
        with faults("a value of a config that is not of its kind"):
            change(folder, **values)
            with pytest.raises(RunError, match=r"config\.json is not a config of this version") as caught:
                load_run(folder)
            assert str(caught.value).isprintable()
            (folder / "config.json").write_bytes(whole)
    assert load_run(folder).load_model()


@pytest.mark.parametrize("file", ["config.json", "results.json"])
def test_files_that_are_no_json_object(file: str, folder: Path, faults: Faults) -> None:
    for content in NO_OBJECTS.values():
        with faults("a file that should be JSON and is not"):
            (folder / file).write_bytes(content)
            with pytest.raises(RunError, match=file) as caught:
                _ = load_run(folder).results
            assert str(caught.value).isprintable()


def test_each_figure_of_the_results_is_looked_at(folder: Path, faults: Faults) -> None:
    whole = json.loads((folder / "results.json").read_text())
    not_shown = {"seed", "ensemble_size", "devices", "nodes", "threads", "inconsistency_by_number"}
    not_shown |= {"mean_accuracy", "product_accuracy"}
    figures = (name for name, value in whole.items() if isinstance(value, int | float | list))
    drawn = [name for name in figures if name not in not_shown]
    assert len(drawn) > 15
    for name in drawn:
        values: list[object] = [None, "1", {}, [], [[[]]], -5, 1e300, [whole[name]], "gone"]
        for value in values:
            kept = {key: each for key, each in whole.items() if key != name}
            (folder / "results.json").write_text(
                json.dumps(kept if value == "gone" else {**kept, name: value})
            )
            with faults("results with a figure missing or of another kind"):
                with pytest.raises(RunError, match=rf"results\.json .*\b{name}\b"):
                    report([load_run(folder)], folder.parent / "page")
                assert not (folder.parent / "page").exists()


def test_rows_of_figures_that_are_none(folder: Path, faults: Faults) -> None:
    path = folder / "metrics.csv"
    heading, first, *rest = path.read_text().splitlines()
    for row in (
        first + ",1",
        first.rpartition(",")[0],
        first.replace("1", "one", 1),
        '"' + first,
        "\0",
        "nan",
    ):
        with faults("a row of metrics.csv that is damaged"):
            path.write_text("\n".join([heading, row, *rest]))
            with pytest.raises(RunError, match=r"metrics\.csv is damaged"):
                report([load_run(folder)], folder.parent / "page")
    for value in ("nan", "inf", "1e309"):
        with faults("a row of metrics.csv that is damaged"):
            path.write_text("\n".join([heading, first.rpartition(",")[0] + f",{value}", *rest]))
            with pytest.raises(RunError, match=r"metrics\.csv is damaged"):
                report([load_run(folder)], folder.parent / "page")


def edited(content: bytes, edit: Callable[[dict[str, Any]], object]) -> bytes:
    tensors = load(content)
    edit(tensors)
    return save(tensors)


def wrong_weights(whole: bytes) -> dict[str, bytes]:
    """Files in the place of model.safetensors; each is safetensors, but for the first few."""
    name = next(name for name, tensor in load(whole).items() if tensor.ndim == 2)
    header = int.from_bytes(whole[:8], "little")
    kinds = [torch.float64, torch.float16, torch.bfloat16, torch.int32, torch.bool, torch.uint8]
    return {
        "empty": b"",
        "cut off": whole[:-1],
        "longer": whole + b"\0",
        "header of 2**63 bytes": (2**63).to_bytes(8, "little") + whole[8:],
        "header of zeros": whole[:8] + bytes(header) + whole[8 + header :],
        "deep header": (100_000).to_bytes(8, "little") + b"[" * 100_000,
        "no tensor": save({}),
        "a tensor missing": edited(whole, lambda tensors: tensors.pop(name)),
        "a tensor more": edited(whole, lambda tensors: tensors.update(more=torch.zeros(2))),
        "a tensor renamed": edited(whole, lambda tensors: tensors.update({"other": tensors.pop(name)})),
        "transposed": edited(whole, lambda t: t.update({name: t[name].T.contiguous()})),
        "no values": edited(whole, lambda t: t.update({name: torch.zeros(0)})),
        "a scalar": edited(whole, lambda t: t.update({name: torch.tensor(1.0)})),
        "another axis": edited(whole, lambda t: t.update({name: t[name][None].contiguous()})),
        **{
            str(kind): edited(whole, lambda t, kind=kind: t.update({name: t[name].to(kind)}))  # type: ignore[misc]
            for kind in kinds
        },
        **{
            str(value): edited(whole, lambda t, value=value: t[name].view(-1)[3:4].fill_(value))  # type: ignore[misc]
            for value in (float("nan"), float("inf"), float("-inf"))
        },
    }


def test_weights_that_do_not_fit(folder: Path, faults: Faults) -> None:
    path = folder / "model.safetensors"
    for content in wrong_weights(path.read_bytes()).values():
        with faults("weights that are missing, more, or of another shape or kind"):
            path.write_bytes(content)
            with pytest.raises(RunError, match=r"model\.safetensors (does not hold|is damaged)") as caught:
                load_run(folder).load_model()
            assert str(caught.value).isprintable()


@pytest.mark.parametrize("value", [3e38, -3e38])
def test_finite_weights_that_overflow(folder: Path, value: float, faults: Faults) -> None:
    path = folder / "model.safetensors"
    floats = {key: tensor for key, tensor in load(path.read_bytes()).items() if tensor.is_floating_point()}
    refused = 0
    for name in floats:
        whole = path.read_bytes()
        with faults("weights that are finite, with answers that are not"):
            path.write_bytes(edited(whole, lambda tensors, name=name: tensors[name].fill_(value)))  # type: ignore[misc]
            try:
                model = load_run(folder).load_model()
            except RunError as error:
                said = str(error)
            else:
                said = "" if answers_are_finite(model) else "not finite"
            assert said == "" or "weights so large" in said
            refused += said != ""
        path.write_bytes(whole)
    assert refused > len(floats) // 2


def answers_are_finite(model: Adder) -> bool:
    images = torch.rand(10, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        outputs = model(images, torch.arange(10))
        answers = [outputs.digit_logits.softmax(1), model.sum_probabilities(outputs)]
    return all(bool(answer.isfinite().all()) for answer in answers)


def test_mutated_weights_are_refused_or_answer_in_finite_numbers(folder: Path, faults: Faults) -> None:
    path = folder / "model.safetensors"
    whole = path.read_bytes()
    header = int.from_bytes(whole[:8], "little") + 8
    refused = answered = 0
    for attempt in faults.times(400, 60):
        random = np.random.default_rng(attempt)
        data = np.frombuffer(whole, np.uint8).copy()
        places = random.integers(0, header if attempt % 2 else data.size, random.integers(1, 5))
        data[places] ^= (1 << random.integers(0, 8, places.size)).astype(np.uint8)
        content = data.tobytes()[: random.integers(data.size) if attempt % 10 == 0 else None]
        with faults("a safetensors file with flipped bits or cut off"):
            path.write_bytes(content)
            try:
                model = load_run(folder).load_model()
            except RunError:
                refused += 1
            else:
                answered += 1
                assert answers_are_finite(model)
    assert refused > 10
    assert answered > 10


def test_examples_that_cannot_be_drawn(folder: Path, faults: Faults) -> None:
    path = folder / "examples.safetensors"
    whole = path.read_bytes()
    tensors = load(whole)
    assert len(tensors) == 10
    for name, tensor in tensors.items():
        other = torch.float64 if tensor.is_floating_point() else torch.float32
        wrong = [tensor[1:], tensor[:, None], tensor.to(other)]
        if tensor.dtype != torch.uint8:  # whose values are all right
            wrong += [torch.full_like(tensor, value) for value in (-1, 20)]
        for changed in wrong:
            with faults("examples of another shape, type or range"):
                path.write_bytes(save({**tensors, name: changed.contiguous()}))
                with pytest.raises(RunError, match=rf"examples\.safetensors is damaged: {name[:6]}"):
                    report([load_run(folder)], folder.parent / "page")


def test_what_is_no_ordinary_file_is_not_waited_for(folder: Path, faults: Faults) -> None:
    readers: dict[str, Callable[[], object]] = {
        "config.json": lambda: load_run(folder),
        "model.safetensors": lambda: load_run(folder).load_model(),
        "model.onnx": lambda: Predictor(folder),
        "results.json": lambda: load_run(folder).results,
        "metrics.csv": lambda: load_run(folder).metrics,
        "examples.safetensors": lambda: load_run(folder).examples,
    }
    for file, read in readers.items():
        path = folder / file
        whole = path.read_bytes()
        for make in (
            os.mkfifo,
            os.mkdir,
            lambda path: path.symlink_to("/dev/zero"),
            lambda path: path.symlink_to(path),
        ):
            with faults("a pipe, a folder, a device or a circle in the place of a file"):
                path.unlink()
                make(path)
                with pytest.raises(MnistAdderError, match=file.replace(".", r"\.")):
                    read()
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
            path.write_bytes(whole)
        read()
