"""A speedrun from the dataset to a finished run folder, the same as ``mnist-adder train`` leaves."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import torch

from mnist_adder import environment
from mnist_adder.data.dataset import MNISTAdder
from mnist_adder.data.images import DatasetName, DigitImages, load_images
from mnist_adder.evaluation.evaluate import evaluate
from mnist_adder.evaluation.metrics import LOGGED
from mnist_adder.models.exact_sum import ExactSum
from mnist_adder.run_config import RunConfig
from mnist_adder.runs import Run, new_folder
from mnist_adder.speedrun.loop import NETWORK, RECIPE, train_network
from mnist_adder.speedrun.stream import TrainingImages
from mnist_adder.training.complete import complete_run


def speedrun(
    *,
    seed: int = 0,
    dataset: DatasetName = "auto",
    data_dir: Path | None = None,
    run_dir: Path | None = None,
    notify: Callable[[str], None] = lambda _: None,
) -> Run:
    """Train for 1.5 seconds on the processor, evaluate on all test pairs, and leave a run folder.

    The weights depend on the seed, the images and the processor's precision: not on the number of threads.
    A stopped speedrun is not resumed: the folder is written once training has ended.

    Args:
        seed: of the initial weights and the order of the images, from 0 to 4294967295.
        dataset: ``mnist``, ``digits``, or ``auto``: MNIST, else the bundled digits.
        data_dir: the folder of the four MNIST files, if not the usual places.
        run_dir: the run's folder, new or empty; by default a new one below ``runs/``.
        notify: receives the sentences a user should see before training begins.

    Returns:
        The run, with weights, model.onnx, metrics, results and examples.

    Raises:
        DataError: the dataset cannot be had.
        DivergedError: the weights are not finite.
        RunError: the run folder is not empty or cannot be made.
        pydantic.ValidationError: the seed is out of range.
        OSError: the run folder cannot be written to.
    """
    environment.limit_threads()
    data = load_images(dataset, data_dir, notify)
    config = _configure(data, seed)
    notify(f"Speedrun on {data.dataset} ({data.origin}), seed {seed}.")
    threads = f"{config.threads} thread{'s' * (config.threads > 1)}"
    notify(f"Device: {config.device}, {config.precision}, {threads}.")
    images = TrainingImages(data.train_images, data.train_digits)
    started = time.perf_counter()
    model = train_network(images, seed=seed, threads=config.threads, recipe=config.recipe)
    train_seconds = time.perf_counter() - started
    return _save_run(run_dir or new_folder("speedrun", seed), config, model, data, train_seconds)


def _configure(data: DigitImages, seed: int) -> RunConfig:
    processor = torch.device("cpu")
    return RunConfig(
        model=ExactSum.name(),
        preset=NETWORK,
        recipe=RECIPE.scaled_to(len(data.train_digits)),
        seed=seed,
        dataset=data.dataset,
        data_sha256=data.sha256,
        device=environment.describe_device(processor),
        precision=environment.best_precision(processor),
        devices=1,
        threads=min(torch.get_num_threads(), 2),
        versions=environment.versions(),
        commit=environment.source_commit(),
    )


def _save_run(
    folder: Path, config: RunConfig, model: ExactSum, data: DigitImages, train_seconds: float
) -> Run:
    """Evaluate, and write everything that a run folder holds."""
    run = Run.create(folder, config)
    run.save_metrics([_metrics_row(model, data, train_seconds)])
    command = f"mnist-adder speedrun --dataset {config.dataset} --seed {config.seed}"
    complete_run(run, model, data, train_seconds=train_seconds, best_epoch=1, command=command)
    return run


def _metrics_row(model: ExactSum, data: DigitImages, train_seconds: float) -> dict[str, float]:
    """The one row of metrics.csv: the trained network on all the training pairs; no images are held out."""
    metrics = evaluate(model, MNISTAdder(split="all", data=data))
    figures = {f"train_{name}": float(getattr(metrics, name)) for name in LOGGED}
    loss = RECIPE.digit_weight * metrics.digit_loss + RECIPE.sum_weight * metrics.sum_loss
    return {"epoch": 1.0, "train_loss": loss, **figures, "learning_rate": 0.0, "seconds": train_seconds}
