"""What more data and another thread cost: ``python benchmarks/growth.py``, with nothing else running.

The default model trains one epoch, the way ``mnist-adder train`` does, on 1, 2, 4 and 8 times MNIST's 55,000
training images (the same ones again), with one thread and with two. Each epoch runs in a process of its own,
one thread and two in turn. Writes results/growth.json and docs/pictures/growth.png.

A quick look: ``--images-per-x 13750``, which writes nothing.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import lightning as L
import torch
from matplotlib.figure import Figure

from mnist_adder import environment, models
from mnist_adder.data.images import VALIDATION_SIZES, DigitImages, load_images, split_validation
from mnist_adder.reports import save_figure
from mnist_adder.reports.style import MARKERS, SERIES, legend, panels, styled
from mnist_adder.runs import Run
from mnist_adder.safe_io import write_json
from mnist_adder.training.config import TrainConfig
from mnist_adder.training.train import fit_run

ROOT = Path(__file__).parent.parent
RESULTS, PICTURE = ROOT / "results" / "growth.json", ROOT / "docs" / "pictures" / "growth.png"
TIMES = {1: 2, 2: 2, 4: 1, 8: 1}
"""Times the data, and how often each is measured."""
IMAGES = 55_000


class Peak(L.Callback):
    """Notes the epoch's processor time, and the most memory that the process has had by its end."""

    def __init__(self) -> None:
        self.cpu_seconds = 0.0
        self.peak_bytes = 0

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:  # noqa: D102
        self.cpu_seconds = -cpu_seconds()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:  # noqa: D102
        self.cpu_seconds += cpu_seconds()
        self.peak_bytes = most_memory()


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def most_memory() -> int:
    """The most bytes of memory this process has had so far; Linux counts in kibibytes, macOS in bytes."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most


def repeated(data: DigitImages, images: int, times: int) -> DigitImages:
    """The first ``images`` of the training split, so many times, as all there is to train on."""
    kept = split_validation(data.train_digits, VALIDATION_SIZES["mnist"])[0][:images]
    return dataclasses.replace(
        data,
        train_images=data.train_images[kept].repeat(times, 1, 1),
        train_digits=data.train_digits[kept].repeat(times),
    )


def run_once(times: int, images: int, threads: int) -> dict[str, Any]:
    """One epoch; a fresh process calls this."""
    torch.set_num_threads(threads)
    before = most_memory()
    data = repeated(load_images("mnist"), images, times)
    # Nothing is held out of the repeated images: an epoch is training alone.
    config = TrainConfig(recipe={"epochs": 1, "train_on": "all"}).to_run_config(data)
    peak, load = Peak(), os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        run = Run.create(Path(folder) / "run", config)
        seconds = fit_run(run, data, [peak]).metrics[0]["seconds"]
    return {
        "times": times,
        "threads": threads,
        "images": len(data.train_digits),
        "seconds": round(seconds, 3),
        "cpu_seconds": round(peak.cpu_seconds, 3),
        "peak_mib": round(peak.peak_bytes / 2**20, 1),
        "libraries_mib": round(before / 2**20, 1),  # before there are images
        "load": round(load, 2),
    }


def fresh(times: int, images: int, threads: int) -> dict[str, Any]:
    """``run_once`` in a process of its own, where nothing is warm."""
    words = ["--once", str(times), "--images-per-x", str(images), "--threads", str(threads)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    answer = subprocess.run(
        [sys.executable, __file__, *words], check=True, stdout=subprocess.PIPE, text=True, env=environment
    )
    found: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return found


def summarise(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The medians of each size and number of threads, in rising order."""
    rows = []
    for threads, times in sorted({(run["threads"], run["times"]) for run in runs}):
        same = [run for run in runs if (run["threads"], run["times"]) == (threads, times)]
        figures = ("seconds", "cpu_seconds", "peak_mib", "libraries_mib")
        medians = {name: round(statistics.median(run[name] for run in same), 3) for name in figures}
        rows.append(
            {"threads": threads, "times": times, "images": same[0]["images"], "n": len(same), **medians}
        )
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    lines = ["threads  times   images  n  seconds  cpu seconds  peak MiB"]
    lines += [
        f"{row['threads']:>7}  {row['times']:>5}  {row['images']:>7,}  {row['n']}  {row['seconds']:>7.1f}"
        f"  {row['cpu_seconds']:>11.1f}  {row['peak_mib']:>8.0f}"
        for row in rows
    ]
    return "\n".join(lines)


@styled
def figure(rows: list[dict[str, Any]]) -> Figure:
    """Seconds an epoch and peak memory by the number of images, a line for each number of threads."""
    threads = sorted({row["threads"] for row in rows})
    labels = [f"{count} thread{'s' * (count > 1)}" for count in threads]
    picture, axes = panels(2, 2.4, labels)
    titles = {"seconds": "seconds an epoch", "peak_mib": "peak memory, MiB"}
    for place, (name, title) in enumerate(titles.items()):
        for line, count in enumerate(threads):
            same = [row for row in rows if row["threads"] == count]
            images = [row["images"] / 1000 for row in same]
            axes[place].plot(
                images, [row[name] for row in same], color=SERIES[line], marker=MARKERS[line], clip_on=False
            )
            axes[place].set_xticks(images)
        axes[place].set(title=title, xlabel="thousand images", xlim=(0, None), ylim=(0, None))
    legend(picture, axes[0].get_lines(), labels)
    return picture


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images-per-x", type=int, default=IMAGES)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--once", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    images = options.images_per_x
    if options.once:
        print(json.dumps(run_once(options.once, images, options.threads[0])))
        return
    runs = []
    for repetition in range(max(TIMES.values())):
        for times in (times for times, count in TIMES.items() if repetition < count):
            for threads in options.threads:
                runs.append(fresh(times, images, threads))
                print(json.dumps(runs[-1]), flush=True)
    rows = summarise(runs)
    print(table(rows))
    if images != IMAGES:
        return
    device = torch.device("cpu")
    about = {
        "model": models.DEFAULT,
        "device": environment.describe_device(device),
        "precision": environment.best_precision(device),
        "cores": len(os.sched_getaffinity(0)),
        "platform": platform.platform(),
        "versions": environment.versions(),
        "commit": environment.source_commit(),
    }
    write_json(RESULTS, {**about, "rows": rows, "runs": runs})
    save_figure(figure(rows), PICTURE)


if __name__ == "__main__":
    main()
