"""Is the learning rate that ``find-lr`` suggests a good one? Measure it: ``python benchmarks/find_lr.py``.

For each model on MNIST the finder suggests a rate; then short trainings at a third of it, at it and at three
times of it are evaluated on the validation pairs. A seed's three go into results/find-lr.json when they are
done, and what is there is not repeated. ``--table`` rewrites the table in docs/find-lr.md from that file.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mnist_adder import environment, models
from mnist_adder.data import DigitImages, MNISTAdder, load_images
from mnist_adder.evaluation.evaluate import predict_split
from mnist_adder.evaluation.metrics import compute_metrics
from mnist_adder.safe_io import write_json, write_text
from mnist_adder.training.config import TrainConfig
from mnist_adder.training.lit_module import make_schedule
from mnist_adder.training.lr_finder import Learner, find_learning_rate

ROOT = Path(__file__).parent.parent
RESULTS, PAGE = ROOT / "results" / "find-lr.json", ROOT / "docs" / "find-lr.md"
BEGIN, END = "<!-- table: made by benchmarks/find_lr.py --table -->", "<!-- end of table -->"

FACTORS = (1 / 3, 1.0, 3.0)
STEPS = 300
FINDER_SEED = 3  # the rule was chosen on curves of seeds 0 to 2, and trainings of seed 0


def train_briefly(name: str, rate: float, seed: int, data: DigitImages) -> tuple[dict[str, Any], Tensor]:
    """Train for STEPS steps of the recipe, its schedule shrunk to them and nothing averaged.

    Averages of so few weights would be those of the start. Returns what is recorded, and of how many of its
    ten pairs each validation image was right, (5000,).
    """
    settings: dict[str, str | float] = {"learning_rate": rate, "weight_averaging": "none"}
    config = TrainConfig(model=name, recipe=settings, seed=seed)
    recipe, learner = config.build_recipe(), Learner(config, data)
    schedule = make_schedule(learner.optimizer, recipe, STEPS)
    started = time.perf_counter()
    for _ in range(STEPS):
        if not math.isfinite(learner.step(learner.optimizer.param_groups[0]["lr"])):
            break
        schedule.step()
    seconds = time.perf_counter() - started
    validation = MNISTAdder(split="validation", data=data)
    answers = predict_split(learner.module.model, validation)
    metrics = compute_metrics(answers, validation.digits)
    loss = recipe.digit_weight * metrics.digit_loss + recipe.sum_weight * metrics.sum_loss
    digits = validation.digits.unsqueeze(1)
    right = (answers.digits.cpu() == digits) & (answers.sums.cpu() == digits + torch.arange(10))
    assert right.double().mean().item() == metrics.joint_accuracy
    figures = {
        "learning_rate": rate,
        "validation_joint_accuracy": metrics.joint_accuracy,
        "validation_digit_accuracy": metrics.digit_accuracy,
        "validation_loss": round(loss, 5) if math.isfinite(loss) else None,
        "seconds": round(seconds, 1),
    }
    return figures, right.sum(1)


def gain(here: Tensor, other: Tensor) -> dict[str, float]:
    """How much higher the first's joint accuracy is, and the standard error of that over the images.

    The ten pairs of an image are not independent, so images are what is counted, each with itself.
    """
    gains = (here - other).double() / 10
    error = gains.std() / math.sqrt(len(gains))
    return {"gain": round(gains.mean().item(), 6), "standard_error": round(error.item(), 6)}


def mean(values: Iterable[float]) -> float:
    return statistics.fmean(values)


def verdict(entry: dict[str, Any]) -> str:
    """How the suggestion compares with the better one of its neighbours, over all seeds.

    The mean of the seeds' standard errors is not divided by their number: they share the images.
    """
    columns = zip(*(seed["gains"] for seed in entry["seeds"]), strict=True)
    gains = [(mean(g["gain"] for g in c), mean(g["standard_error"] for g in c)) for c in map(list, columns)]
    worst, error = min(gains)
    word = "best" if worst > 2 * error else "no worse" if worst >= -2 * error else "worse"
    return f"{word} ({100 * worst:+.2f} ± {100 * error:.2f})"


def table(results: dict[str, Any]) -> str:
    """The table of all models and, below, what it was measured on."""
    lines = [
        "| model | suggested | seeds | at a third | at the suggestion | at three times | it is |",
        "|---|--:|--:|--:|--:|--:|---|",
    ]
    for entry in results["models"]:
        cells = [f"`{entry['model']}`", f"{entry['suggestion']:.2g}", str(len(entry["seeds"]))]
        for runs in zip(*(seed["rates"] for seed in entry["seeds"]), strict=True):
            accuracy = mean(run["validation_joint_accuracy"] for run in runs)
            losses = [run["validation_loss"] for run in runs]
            loss = "no number" if None in losses else f"{mean(losses):.3g}"
            cells.append(f"{100 * accuracy:.2f} ({loss})")
        lines.append("| " + " | ".join([*cells, verdict(entry)]) + " |")
    return "\n".join(
        [
            *lines,
            "",
            "Joint accuracy in percent on the 50,000 validation pairs, mean over the seeds, and in brackets "
            f"the joined loss, after {results['steps']} steps with {results['threads']} thread of "
            f"{results['device']}, {results['precision']}, PyTorch {results['versions']['torch']}. Last "
            "column: the difference to the better neighbour in points, its standard error over 5,000 images.",
        ]
    )


def rewrite_page(results: dict[str, Any]) -> None:
    before, rest = PAGE.read_text().split(BEGIN)
    write_text(PAGE, f"{before}{BEGIN}\n{table(results)}\n{END}{rest.split(END)[1]}")


def measure_model(name: str, seeds: list[int], results: dict[str, Any], data: DigitImages) -> None:
    entry = next((entry for entry in results["models"] if entry["model"] == name), None)
    if entry is None:
        started = time.perf_counter()
        found = find_learning_rate(TrainConfig(model=name, seed=FINDER_SEED, dataset="mnist")).suggestion
        entry = {
            "model": name,
            "suggestion": found,
            "finder_seconds": round(time.perf_counter() - started, 1),
            "recipe_learning_rate": models.get(name).recipe.learning_rate,
            "seeds": [],
        }
        results["models"].append(entry)
        results["models"].sort(key=lambda entry: entry["model"])
        write_json(RESULTS, results)
        print(f"{name}: suggestion {found:.3g}, after {entry['finder_seconds']} s", flush=True)
    for seed in seeds:
        if seed in [done["seed"] for done in entry["seeds"]]:
            continue
        runs, rights = [], []
        for factor in FACTORS:
            run, right = train_briefly(name, factor * entry["suggestion"], seed, data)
            runs.append(run)
            rights.append(right)
            accuracy, loss = 100 * run["validation_joint_accuracy"], run["validation_loss"]
            print(f"  seed {seed} at {run['learning_rate']:.3g}: {accuracy:.2f}, loss {loss}", flush=True)
        gains = [gain(rights[1], other) for other in (rights[0], rights[2])]
        entry["seeds"].append({"seed": seed, "rates": runs, "gains": gains})
        write_json(RESULTS, results)
        print(f"  {name}: {verdict(entry)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=models.names(), choices=models.names())
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--table", action="store_true", help="only rewrite the table in docs/find-lr.md")
    arguments = parser.parse_args()
    if arguments.table:
        return rewrite_page(json.loads(RESULTS.read_text()))
    device = environment.best_device()
    results: dict[str, Any] = {
        "steps": STEPS,
        "finder_seed": FINDER_SEED,
        "split": "validation",
        "device": environment.describe_device(device),
        "precision": environment.best_precision(device),
        "threads": torch.get_num_threads(),
        "versions": environment.versions(),
        "commit": environment.source_commit(),
        "models": [],
    }
    if RESULTS.exists():
        results = json.loads(RESULTS.read_text())
    data = load_images("mnist")
    for name in arguments.models:
        measure_model(name, arguments.seeds, results, data)
    return None


if __name__ == "__main__":
    main()
