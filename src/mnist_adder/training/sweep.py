"""Training several models with several seeds, one run after the other, so that they can be compared.

Names and seeds come in, finished runs go out; runs that are there already are not trained again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import lightning as L

from mnist_adder import models
from mnist_adder.data.images import DatasetName
from mnist_adder.errors import RunError
from mnist_adder.runs import Run, load_run
from mnist_adder.training.train import resume, train


def train_series(
    names: Sequence[str],
    folder: Path,
    *,
    seeds: int = 3,
    epochs_scale: float = 1.0,
    dataset: DatasetName = "auto",
    data_dir: Path | None = None,
    notify: Callable[[str], None] = lambda _: None,
    callbacks: Callable[[], Sequence[L.Callback]] = lambda: (),
) -> list[Run]:
    """Train each model with the seeds 0, 1, ..., each by its own recipe, on the same images.

    All models get seed 0 first, then seed 1, and so on, so that a series that is stopped early still
    compares something. Called again it carries on: finished runs are kept, a stopped one is resumed.

    Args:
        names: the models.
        folder: run folders ``MODEL-seedN`` are made in it.
        seeds: how many, from 0.
        epochs_scale: times the recipes' epochs, at least one epoch each; above 0.
        dataset: as for :func:`train`.
        data_dir: as for :func:`train`.
        notify: receives a sentence before each run.
        callbacks: makes the Lightning callbacks of one run.

    Returns:
        The runs, by seed, then in the order of the names.

    Raises:
        ModelError: no such model, or an epochs_scale that makes no sense.
        RunError: a run that is there was trained otherwise than asked for now, or is in use.
        DivergedError: the loss of a run ran away.
    """
    if seeds < 1 or not 0 < epochs_scale < float("inf"):
        raise RunError(f"{seeds} seeds and {epochs_scale} times the epochs: both must be above 0.")
    epochs = {name: max(1, round(epochs_scale * models.get(name).recipe.epochs)) for name in names}
    wanted = [(name, seed) for seed in range(seeds) for name in names]
    runs = []
    for place, (name, seed) in enumerate(wanted, 1):
        notify(f"\nRun {place} of {len(wanted)}: {name}, seed {seed}.")
        run = train_or_resume(
            folder / f"{name}-seed{seed}",
            name,
            settings={"epochs": epochs[name]},
            seed=seed,
            dataset=dataset,
            data_dir=data_dir,
            notify=notify,
            callbacks=callbacks(),
        )
        runs.append(run)
    return runs


def train_or_resume(
    run_dir: Path,
    model: str,
    *,
    preset: str | None = None,
    settings: Mapping[str, str | float],
    seed: int,
    dataset: DatasetName = "auto",
    data_dir: Path | None = None,
    devices: int = 1,
    nodes: int = 1,
    notify: Callable[[str], None] = lambda _: None,
    callbacks: Sequence[L.Callback] = (),
) -> Run:
    """What is wanted in a folder: trained now, carried on where it was stopped, or found finished.

    Arguments as for :func:`train`.

    Raises:
        RunError: the run that is there was trained otherwise than asked for now, or is in use.
        DivergedError: its loss ran away.
    """
    if not (run_dir / "config.json").exists():
        return train(
            model,
            preset=preset,
            settings=settings,
            seed=seed,
            dataset=dataset,
            data_dir=data_dir,
            run_dir=run_dir,
            devices=devices,
            nodes=nodes,
            notify=notify,
            callbacks=callbacks,
        )
    run = load_run(run_dir)
    _check_protocol(run, model, preset, seed, settings, dataset)
    return resume(run_dir, data_dir=data_dir, notify=notify, callbacks=callbacks)


def _check_protocol(
    run: Run,
    model: str,
    preset: str | None,
    seed: int,
    settings: Mapping[str, str | float],
    dataset: DatasetName,
) -> None:
    config = run.config
    same = (config.model, config.preset, config.seed) == (model, preset, seed)
    if (
        not same
        or config.recipe.replaced(settings) != config.recipe
        or dataset not in ("auto", config.dataset)
    ):
        raise RunError(
            f"{run.folder} was trained otherwise: {config.model} on {config.dataset}, seed {config.seed}, "
            f"{config.recipe.epochs} epochs. Name another folder."
        )
