"""The speedrun beside other trainings: ``python benchmarks/speedrun.py``, with nothing else running.

Ours and the fastest public recipe we know train in turn, each run in a fresh process, with ten seeds; then
``logit-mlp`` once, as its source describes. The clock runs from the bytes of the files in memory to trained
weights: unpacking, preparation and the first call of everything are inside, evaluation is outside. All train
on the 60,000 images; the first two are evaluated on the 100,000 test pairs. Writes results/speedrun.json.

Nothing is chosen by these figures. To choose: ``--split validation``, which trains on 55,000 images and
evaluates on the pairs of the 5,000 others, leaves ``logit-mlp`` out and writes nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from floor import floor
from references import logit_mlp_as_published, public_recipe

from mnist_adder import environment
from mnist_adder.data.dataset import MNISTAdder
from mnist_adder.data.images import DigitImages, load_images, split_validation
from mnist_adder.evaluation.evaluate import evaluate
from mnist_adder.models.exact_sum import ExactSum
from mnist_adder.safe_io import write_json
from mnist_adder.speedrun.loop import NETWORK, train_network
from mnist_adder.speedrun.stream import StreamedImages

RESULTS = Path(__file__).parent.parent / "results" / "speedrun.json"
OURS, PUBLIC, CHANNELS_LAST = NETWORK, "public", "public, channels last"
SIDES = OURS, PUBLIC, CHANNELS_LAST
VALIDATION = 5_000


def read_files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.glob("*.gz")}


def train(
    side: str, files: dict[str, bytes], seed: int, indices: torch.Tensor | None, threads: int
) -> tuple[ExactSum, float]:
    """The trained model and its seconds; the public network becomes exact-sum's, to be counted alike."""
    if side == OURS:
        started = time.perf_counter()
        model = train_network(StreamedImages(files), seed=seed, indices=indices, threads=threads)
        return model, time.perf_counter() - started
    network, seconds = public_recipe.train(files, seed, indices, channels_last=side == CHANNELS_LAST)
    model = ExactSum()
    model.classifier = network
    return model.eval(), seconds


def run_once(side: str, seed: int, split: str, threads: int) -> dict[str, Any]:
    """One training and its accuracy; a fresh process calls this."""
    torch.set_num_threads(threads)
    files, data = read_files(Path(os.environ["MNIST_ADDER_DATA"])), load_images("mnist")
    indices = split_validation(data.train_digits, VALIDATION)[0] if split == "validation" else None
    before = time.process_time()
    model, seconds = train(side, files, seed, indices, threads)
    cpu_seconds = time.process_time() - before
    metrics = evaluate(model, dataset(data, split))
    return {
        "side": side,
        "seed": seed,
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "joint_accuracy": metrics.joint_accuracy,
        "load": os.getloadavg()[0],
    }


def dataset(data: DigitImages, split: str) -> MNISTAdder:
    return MNISTAdder(split="test" if split == "test" else "validation", data=data)


def fresh(*arguments: str) -> dict[str, Any]:
    """This script in a process of its own, where nothing is warm."""
    command = [sys.executable, __file__, *arguments]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: dict[str, Any] = json.loads(answer.splitlines()[-1])
    print(json.dumps(found), flush=True)
    return found


def logit_mlp(epochs: int, threads: int) -> dict[str, Any]:
    """``logit-mlp`` as published, for so many epochs; fewer than its five are scaled to them."""
    torch.set_num_threads(threads)
    files = read_files(Path(os.environ["MNIST_ADDER_DATA"]))
    _, seconds = logit_mlp_as_published.train(files, 0, epochs=epochs)
    published = logit_mlp_as_published.EPOCHS
    return {
        "epochs_published": published,
        "epochs_measured": epochs,
        "measured_seconds": seconds,
        "seconds": seconds["preparation"] + seconds["epochs"] * published / epochs,
        "scaled": epochs != published,
        "load": os.getloadavg()[0],
    }


def spread(values: list[float]) -> dict[str, Any]:
    return {
        "n": len(values),
        "mean": statistics.mean(values),
        "std": statistics.stdev(values) if len(values) > 1 else None,
        "median": statistics.median(values),
        "min": min(values),
        "max": max(values),
    }


def summarise(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Each side's spread, and how many times the other sides' seconds are ours, seed by seed."""
    by_side = {side: [run for run in runs if run["side"] == side] for side in SIDES}
    figures = "seconds", "cpu_seconds", "joint_accuracy"
    ours = by_side[OURS]
    return {
        **{side: {name: spread([run[name] for run in by_side[side]]) for name in figures} for side in SIDES},
        "ratio_of_seconds": {
            side: spread(
                [
                    theirs["seconds"] / mine["seconds"]
                    for theirs, mine in zip(by_side[side], ours, strict=True)
                ]
            )
            for side in SIDES[1:]
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--split", choices=["validation", "test"], default="test")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--threads", type=int, choices=[1, 2], default=2)
    parser.add_argument("--logit-mlp-epochs", type=int, default=logit_mlp_as_published.EPOCHS)
    parser.add_argument("--once", choices=[*SIDES, "logit-mlp"], help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    threads, epochs = options.threads, options.logit_mlp_epochs
    if options.once:
        slow = options.once == "logit-mlp"
        found = (
            logit_mlp(epochs, threads)
            if slow
            else run_once(options.once, options.seed, options.split, threads)
        )
        print(json.dumps(found))
        return
    shared = "--split", options.split, "--threads", str(threads)
    runs = [
        fresh("--once", side, "--seed", str(seed), *shared) for seed in range(options.seeds) for side in SIDES
    ]
    summary = summarise(runs)
    median = summary[OURS]["seconds"]["median"]
    result: dict[str, Any] = {
        "split": options.split,
        "threads": threads,
        "cores": len(os.sched_getaffinity(0)),
        "device": environment.describe_device(torch.device("cpu")),
        "platform": platform.platform(),
        "versions": environment.versions(),
        "commit": environment.source_commit(),
        **summary,
        "floor": floor(read_files(Path(os.environ["MNIST_ADDER_DATA"])), threads, median),
    }
    if options.split == "test":
        slow = fresh("--once", "logit-mlp", "--logit-mlp-epochs", str(epochs), *shared)
        result["logit_mlp_as_published"] = {**slow, "ratio_of_seconds": slow["seconds"] / median}
        write_json(RESULTS, {**result, "runs": runs})
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
