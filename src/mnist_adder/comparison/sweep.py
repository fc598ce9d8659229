"""Training several models with several seeds, so that they can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mnist_adder import models
from mnist_adder.runs import Run
from mnist_adder.training.config import TrainConfig
from mnist_adder.training.train import MakeCallbacks, Notify, train_or_resume


def sweep(
    names: Sequence[str],
    folder: Path,
    config: TrainConfig,
    *,
    seeds: int,
    epochs_scale: float,
    notify: Notify,
    callbacks: MakeCallbacks,
) -> list[Run]:
    """Train each model with the seeds 0, 1, ..., each by its own recipe, on the same images.

    All models get seed 0 first, then seed 1, and so on, so that a sweep that is stopped early still compares
    something. Called again it resumes: finished runs are kept. ``config`` has what all of them share, dataset
    and data_dir; the runs are ``MODEL-seedN`` in ``folder``, and errors are those of ``train``.
    ``epochs_scale`` is times the recipes' epochs; it is at least one epoch each.

    Returns the runs by seed, then in the order of the names.
    """
    epochs = {name: max(1, round(epochs_scale * models.get(name).recipe.epochs)) for name in names}
    wanted = [(name, seed) for seed in range(seeds) for name in names]
    runs = []
    for place, (name, seed) in enumerate(wanted, 1):
        notify(f"\nRun {place} of {len(wanted)}: {name}, seed {seed}.")
        run_dir = folder / f"{name}-seed{seed}"
        one = replace(config, model=name, recipe={"epochs": epochs[name]}, seed=seed, run_dir=run_dir)
        runs.append(train_or_resume(one, notify=notify, callbacks=callbacks))
    return runs
