"""Which programs read model.onnx, and how close their answers are to ONNX Runtime's.

    python benchmarks/readers.py --write FOLDER    writes the files and ONNX Runtime's answers
    python benchmarks/readers.py FOLDER            reads them with every reader that can be imported

The second needs numpy and a reader, with ``src`` on PYTHONPATH: onnx (its reference evaluator), openvino or
opencv-python-headless, of which an environment holds one version. Each run adds to results/readers.json.
Files: every model and preset with random weights and two ensembles, as if taught to tell digits from
other characters, which is one output more, and the weights of the package.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from mnist_adder.safe_io import write_json

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "results" / "readers.json"
OUTPUTS = ["digit", "sum", "digit_probabilities", "sum_probabilities", "is_digit_probability"]
"""The last is not in every file."""
BATCHES = (1, 7, 64)
"""Pairs in one call. Each file is read once and answers them in turn."""

TIE = 1e-5
"""Two probabilities that are this close may change places."""

Arrays: TypeAlias = dict[str, np.ndarray]
Read: TypeAlias = Callable[[Path, list[str]], Callable[[Arrays], Arrays]]


def draw(random: np.random.Generator, count: int) -> Arrays:
    """Pairs of an image with a fifth of its pixels at random, and a number."""
    ink = random.random((count, 1, 28, 28)) < 0.2
    return {
        "image": (ink * random.random(ink.shape)).astype(np.float32),
        "number": random.integers(0, 10, count),
    }


def build(name: str, preset: str | None = None) -> Any:
    """A network with random weights; its batch normalisation has seen some images."""
    import torch

    from mnist_adder import models

    network, asked = models.build(name, preset), draw(np.random.default_rng(0), 64)
    network(torch.from_numpy(asked["image"]), torch.from_numpy(asked["number"]))
    return network


def export(folder: Path) -> None:
    """All files."""
    import torch

    from mnist_adder import models, pretrained
    from mnist_adder.inference import export_onnx, export_run
    from mnist_adder.models.ensemble import SHIFTS, Ensemble

    torch.manual_seed(0)
    networks = {name: build(name) for name in models.names()}
    networks |= {f"preset {name}": build("exact-sum", name) for name in models.get("exact-sum").presets}
    pair = [build("exact-sum"), build("exact-sum")]
    networks |= {"ensemble": Ensemble(pair), "ensemble, shifted": Ensemble(pair, SHIFTS)}
    for name, network in networks.items():
        export_onnx(network, folder / f"{name}.onnx", metadata={"model": name, "is_digit_threshold": "0.5"})
    for name in pretrained.names():
        export_run(pretrained.load_pretrained(name), folder / f"weights {name}.onnx")


def write(folder: Path) -> None:
    """The files, beside each what it is asked and what ONNX Runtime answers, and results without readers."""
    import onnxruntime  # type: ignore[import-untyped]

    from mnist_adder import environment

    folder.mkdir(parents=True, exist_ok=True)
    export(folder)
    random = np.random.default_rng(0)
    for path in folder.glob("*.onnx"):
        session = onnxruntime.InferenceSession(path)
        outputs = [value.name for value in session.get_outputs()]
        for count in BATCHES:
            asked = draw(random, count)
            answers: Arrays = dict(zip(outputs, session.run(outputs, asked), strict=True))
            np.savez(folder / f"{path.stem} {count}.npz", allow_pickle=False, **asked, **answers)
    results = {
        "versions": {**environment.versions(), "onnxruntime": onnxruntime.__version__},
        "commit": environment.source_commit(),
        "pairs": sum(BATCHES),
        "readers": {},
    }
    write_json(RESULTS, results)


def reference(path: Path, outputs: list[str]) -> Callable[[Arrays], Arrays]:
    """onnx.reference, the standard in Python."""
    evaluator = importlib.import_module("onnx.reference").ReferenceEvaluator(str(path))
    return lambda asked: dict(zip(outputs, evaluator.run(outputs, asked), strict=True))


def openvino(path: Path, outputs: list[str]) -> Callable[[Arrays], Arrays]:
    """On the CPU in float32; it may choose bfloat16 otherwise."""
    core = importlib.import_module("openvino").Core()
    model = core.compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def answer(asked: Arrays) -> Arrays:
        answers = model(asked)
        return {name: answers[name] for name in outputs}

    return answer


def opencv(path: Path, outputs: list[str]) -> Callable[[Arrays], Arrays]:
    """cv2.dnn. Version 4 returns what has one axis as float32 (N, 1)."""
    network = importlib.import_module("cv2").dnn.readNetFromONNX(str(path))

    def answer(asked: Arrays) -> Arrays:
        for name, values in asked.items():
            network.setInput(values, name)
        return dict(zip(outputs, network.forward(outputs), strict=True))

    return answer


READERS: dict[str, Read] = {"onnx": reference, "openvino": openvino, "opencv-python-headless": opencv}


def compare(read: Read, path: Path) -> dict[str, Any]:
    """How far the answers to all batches of a file are from ONNX Runtime's, or why there are none."""
    differences, others = [0.0], 0
    try:
        answer = None
        for count in BATCHES:
            with np.load(path.with_name(f"{path.stem} {count}.npz")) as saved:
                expected = {name: saved[name] for name in OUTPUTS if name in saved}
                answer = answer or read(path, list(expected))
                found = answer({name: saved[name] for name in ("image", "number")})
            for name in ("digit", "sum"):
                probabilities = f"{name}_probabilities"
                second, first = np.sort(expected[probabilities])[:, -2:].T
                differ = found[name].ravel() != expected[name]
                others += int((differ & (first - second > TIE)).sum())
                differences.append(float(np.abs(found[probabilities] - expected[probabilities]).max()))
            if (is_digit := expected.get(OUTPUTS[-1])) is not None:
                differences.append(float(np.abs(found[OUTPUTS[-1]].ravel() - is_digit).max()))
    except Exception as error:  # each reader has its own
        return {"error": " ".join(str(error).split())[-200:]}
    return {"largest_difference": max(differences), "other_answers": others}


def main() -> None:
    """Write files, or read those in a folder and add to the results."""
    if sys.argv[1] == "--write":
        return write(Path(sys.argv[2]))
    results = json.loads(RESULTS.read_text())
    for name, read in READERS.items():
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        files = {path.stem: compare(read, path) for path in sorted(Path(sys.argv[1]).glob("*.onnx"))}
        results["readers"][f"{name} {version}"] = {"platform": platform.platform(), "files": files}
    write_json(RESULTS, results)
    return None


if __name__ == "__main__":
    main()
