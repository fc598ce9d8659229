"""How quickly answers come: ``python benchmarks/inference.py``.

ONNX Runtime against torch in eager mode, on the weights that come with the package: one image at a time, and
all test images at once with one and with two threads. The two take turns within one process. Then the
command line from a cold start. Writes results/inference.json and prints it.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mnist_adder import Predictor, load_pretrained, machine
from mnist_adder.data import load_corpus
from mnist_adder.files import write_json

ROOT = Path(__file__).parent.parent
SINGLES, ROUNDS, STARTS = 3000, 7, 7


def seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def one_at_a_time(
    onnx: Callable[[slice], Any], eager: Callable[[slice], Any], images: int
) -> dict[str, dict[str, float]]:
    """Latency of single images in milliseconds, the two sides taking turns image by image."""
    taken: dict[str, list[float]] = {"onnx": [], "torch": []}
    for place in range(-200, SINGLES):  # the first are not counted
        one = slice(place % images, place % images + 1)
        for name, ask in (("onnx", onnx), ("torch", eager)):
            spent = seconds(lambda ask=ask, one=one: ask(one))  # type: ignore[misc]
            if place >= 0:
                taken[name].append(1000 * spent)
    figures = {
        name: {"median_ms": statistics.median(v), "p99_ms": float(np.percentile(v, 99))}
        for name, v in taken.items()
    }
    ratios = [t / o for o, t in zip(taken["onnx"], taken["torch"], strict=True)]
    return {**figures, "torch_over_onnx": {"median": statistics.median(ratios)}}


def all_at_once(onnx: Callable[[slice], Any], eager: Callable[[slice], Any], images: int) -> dict[str, Any]:
    """Images a second, medians over rounds in which the two take turns."""
    taken: dict[str, list[float]] = {"onnx": [], "torch": []}
    for place in range(-1, ROUNDS):
        for name, ask in (("onnx", onnx), ("torch", eager)):
            spent = seconds(lambda ask=ask: ask(slice(0, images)))  # type: ignore[misc]
            if place >= 0:
                taken[name].append(spent)
    ratios = [t / o for o, t in zip(taken["onnx"], taken["torch"], strict=True)]
    rates = {f"{name}_images_per_second": round(images / statistics.median(v)) for name, v in taken.items()}
    return {**rates, "torch_over_onnx_median": statistics.median(ratios)}


def cold(*arguments: str) -> dict[str, float]:
    """Wall time of a command from nothing, in seconds."""
    command = [str(Path(sys.executable).with_name("mnist-adder")), *arguments]
    taken = [
        seconds(lambda: subprocess.run(command, capture_output=True, check=True)) for _ in range(STARTS + 1)
    ][1:]
    return {"median_seconds": statistics.median(taken), "worst_seconds": max(taken)}


def main() -> None:
    run = load_pretrained()
    design = run.load_design()
    corpus = load_corpus("mnist")
    images = (corpus.test_images.float() / 255).numpy()
    numbers = np.arange(len(images)) % 10
    as_tensors = torch.from_numpy(images).unsqueeze(1), torch.from_numpy(numbers)

    def eager(part: slice) -> None:
        with torch.inference_mode():
            for at in range(part.start, part.stop, 500):
                piece = slice(at, min(at + 500, part.stop))
                outputs = design(as_tensors[0][piece], as_tensors[1][piece])
                outputs.digit_logits.softmax(1).argmax(1)
                design.sum_probabilities(outputs).argmax(1)

    def onnx(predictor: Predictor) -> Callable[[slice], Any]:
        return lambda part: predictor.predict_images(images[part], numbers[part])

    torch.set_num_threads(1)
    results: dict[str, Any] = {
        "design": run.config.design,
        "device": machine.describe_device(torch.device("cpu")),
        "versions": {**machine.versions(), "onnxruntime": __import__("onnxruntime").__version__},
        "commit": machine.source_commit(),
        "single": {"n": SINGLES, **one_at_a_time(onnx(Predictor(run)), eager, len(images))},
        "batch": {},
    }
    for threads in (1, 2):
        torch.set_num_threads(threads)
        figures = all_at_once(onnx(Predictor(run, threads=threads)), eager, len(images))
        results["batch"][f"{threads}_threads"] = {"n": ROUNDS, **figures}
    results["cold"] = {
        "n": STARTS,
        "predict": cold("predict", str(ROOT / "examples" / "five.png"), "7"),
        "help": cold("--help"),
    }
    write_json(ROOT / "results" / "inference.json", results)
    print((ROOT / "results" / "inference.json").read_text())


if __name__ == "__main__":
    main()
