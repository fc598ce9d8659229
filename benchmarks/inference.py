"""How quickly answers come: ``python benchmarks/inference.py`` on an otherwise idle machine, a few minutes.

On the weights that come with the package, exported anew: ONNX Runtime in float32 and in int8 against torch
in eager mode, one image at a time, and all test images at once with one and with two threads. The three take
turns within one process. Then where the time goes, how often float32 and int8 are right on all test pairs,
and the command line from a cold start. Writes results/inference.json and prints it. ``--quick`` takes fewer
rounds and prints only.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
import torch

from mnist_adder import MNISTAdder, Predictor, environment, load_pretrained
from mnist_adder.data.images import DigitImages, load_images
from mnist_adder.inference import export_int8, export_run
from mnist_adder.inference.int8 import CALIBRATION_IMAGES
from mnist_adder.models import Adder
from mnist_adder.models.summary import summarize
from mnist_adder.runs import Run, load_run
from mnist_adder.safe_io import write_json

ROOT = Path(__file__).parent.parent
QUICK = "--quick" in sys.argv[1:]
TURNS, ROUNDS, STARTS = (4, 2, 2) if QUICK else (60, 9, 11)
ONES_A_TURN = 50
SETTLE_SECONDS = 0.3
"""Between turns: one side's threads wait busily for a moment after their work, which would slow the next."""

Answer: TypeAlias = Callable[[slice], Any]


def seconds(work: Callable[[], Any]) -> float:
    """Wall time."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def one_at_a_time(sides: dict[str, Answer], images: int) -> dict[str, Any]:
    """Latency of single images in milliseconds, the sides taking turns of 50 images."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    ratios: dict[str, list[float]] = {name: [] for name in sides if name != "torch"}
    for turn in range(-1, TURNS):  # the first is not counted
        places = [place % images for place in range(turn * ONES_A_TURN, (turn + 1) * ONES_A_TURN)]
        medians = {}
        for name, answer in sides.items():
            spent = [1000 * seconds(lambda: answer(slice(place, place + 1))) for place in places]  # noqa: B023
            medians[name] = statistics.median(spent)
            if turn >= 0:
                taken[name] += spent
        if turn >= 0:
            for name, values in ratios.items():
                values.append(medians["torch"] / medians[name])
    return {
        "n": TURNS * ONES_A_TURN,
        **{
            name: {"median_ms": statistics.median(v), "p99_ms": float(np.percentile(v, 99))}
            for name, v in taken.items()
        },
        **{f"torch_over_{name}": statistics.median(values) for name, values in ratios.items()},
    }


def all_at_once(sides: dict[str, Answer], images: int) -> dict[str, Any]:
    """Images a second: median, least and most of rounds in which the sides take turns."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(-1, ROUNDS):
        for name, answer in sides.items():
            time.sleep(SETTLE_SECONDS)
            spent = seconds(lambda: answer(slice(0, images)))  # noqa: B023
            if turn >= 0:
                taken[name].append(spent)
    rates = {
        name: {
            "images_per_second": round(images / statistics.median(values)),
            "least": round(images / max(values)),
            "most": round(images / min(values)),
        }
        for name, values in taken.items()
    }
    ratios = {
        f"torch_over_{name}": statistics.median(
            eager / ours for eager, ours in zip(taken["torch"], values, strict=True)
        )
        for name, values in taken.items()
        if name != "torch"
    }
    return {"n": ROUNDS, **rates, **ratios}


def cold(*arguments: str) -> dict[str, float]:
    """Wall time of a command from nothing, in seconds."""
    command = [str(Path(sys.executable).with_name("mnist-adder")), *arguments]
    taken = [
        seconds(lambda: subprocess.run(command, capture_output=True, check=True)) for _ in range(STARTS + 1)
    ][1:]
    return {"median_seconds": statistics.median(taken), "worst_seconds": max(taken)}


def operators(path: Path, images: np.ndarray, numbers: np.ndarray) -> dict[str, float]:
    """Microseconds an image in each kind of operator, by onnxruntime's profiler on one thread; most first."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    options.enable_profiling, options.profile_file_prefix = True, str(path.parent / "profile")
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    starts = [64 * (step % 150) for step in range(30 * ROUNDS)]
    for start in starts:
        part = slice(start, start + 64)
        session.run(None, {"image": images[part, None], "number": numbers[part]})
    spent: Counter[str] = Counter()
    for event in json.loads(Path(session.end_profiling()).read_text()):
        if event["name"].endswith("_kernel_time"):
            spent[event["args"]["op_name"]] += event["dur"]
    return {kind: round(duration / (64 * len(starts)), 2) for kind, duration in spent.most_common(6)}


def float32_floor(model: Adder) -> dict[str, float]:
    """What one thread could do at most, were an image nothing but a well-shaped float32 matrix product."""
    torch.set_num_threads(1)
    left, right = torch.rand(4608, 288), torch.rand(288, 64)
    spent = min(seconds(lambda: left @ right) for _ in range(100 * ROUNDS))
    rate, needed = left.shape[0] * left.shape[1] * right.shape[1] / spent, summarize(model).multiply_adds
    return {
        "multiply_adds_an_image": needed,
        "multiply_adds_per_second": round(rate),
        "images_per_second": round(rate / needed),
    }


def joint_accuracy(predictor: Predictor, data: DigitImages) -> float:
    """How often digit and sum are both right, over each test image with each of the ten numbers."""
    images, digits = (data.test_images.float() / 255).numpy(), data.test_digits.numpy()
    right = 0
    for number in range(10):
        answers = predictor.predict_images(images, np.full(len(images), number))
        right += int(((answers.digits == digits) & (answers.sums == digits + number)).sum())
    return right / (10 * len(images))


def eager(model: torch.nn.Module, images: torch.Tensor, numbers: torch.Tensor) -> Answer:
    """Torch as it is quickest without a compiler: channels last, pieces of a hundred."""
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def answer(part: slice) -> None:
        with torch.inference_mode():
            for at in range(part.start, part.stop, 100):
                piece = slice(at, min(at + 100, part.stop))
                outputs = model(images[piece], numbers[piece])
                outputs.digit_logits.softmax(1).argmax(1)
                model.sum_probabilities(outputs).argmax(1)  # type: ignore[operator]

    return answer


def exported(folder: Path, data: DigitImages) -> Run:
    """A copy of the run that comes with the package, with both files as this version writes them."""
    run = load_run(shutil.copytree(load_pretrained().folder, folder / "run"))
    export_run(run)
    images = MNISTAdder(split="train", data=data).images[:CALIBRATION_IMAGES, 0].float() / 255
    export_int8(run, images.numpy())
    return run


def measure(run: Run, data: DigitImages) -> dict[str, Any]:
    """All figures of a run that has both files."""
    images = (data.test_images.float() / 255).numpy()
    numbers = np.arange(len(images)) % 10
    torchs = eager(run.load_model(), torch.from_numpy(images).unsqueeze(1), torch.from_numpy(numbers))

    def sides(threads: int) -> dict[str, Answer]:
        torch.set_num_threads(threads)
        exact, rough = (Predictor(run, threads=threads, int8=int8) for int8 in (False, True))
        return {
            "onnx": lambda part: exact.predict_images(images[part], numbers[part]),
            "onnx_int8": lambda part: rough.predict_images(images[part], numbers[part]),
            "torch": torchs,
        }

    both = {"onnx": Predictor(run, threads=0), "onnx_int8": Predictor(run, threads=0, int8=True)}
    return {
        "single": one_at_a_time(sides(1), len(images)),
        "batch": {f"{threads}_threads": all_at_once(sides(threads), len(images)) for threads in (1, 2)},
        "operators_us": {
            "onnx": operators(run.folder / "model.onnx", images, numbers),
            "onnx_int8": operators(run.folder / "model.int8.onnx", images, numbers),
        },
        "float32_floor_1_thread": float32_floor(run.load_model()),
        "joint_accuracy": {name: joint_accuracy(predictor, data) for name, predictor in both.items()},
        "pairs": 10 * len(images),
    }


def main() -> None:
    """Measure, print, and without ``--quick`` write."""
    data = load_images("mnist")
    with tempfile.TemporaryDirectory() as folder:
        run = exported(Path(folder), data)
        measured = measure(run, data)
    results: dict[str, Any] = {
        "model": run.config.model,
        "device": environment.describe_device(torch.device("cpu")),
        "cores": os.cpu_count(),
        "versions": {**environment.versions(), "onnxruntime": onnxruntime.__version__},
        "commit": environment.source_commit(),
        **measured,
        "cold": {
            "n": STARTS,
            "predict": cold("predict", str(ROOT / "examples" / "five.png"), "7"),
            "help": cold("--help"),
        },
    }
    path = Path(tempfile.gettempdir(), "inference.json") if QUICK else ROOT / "results" / "inference.json"
    write_json(path, results)
    print(path.read_text())


if __name__ == "__main__":
    main()
