"""Training an ensemble: its members one after the other, each in a run of its own, then all in one model.

A model's name and settings come in, one Run goes out; it is evaluated, exported and asked like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import lightning as L

from mnist_adder import models
from mnist_adder.data import DigitImages, load_images
from mnist_adder.data.images import DatasetName
from mnist_adder.models import Ensemble
from mnist_adder.runs import Run, load_run
from mnist_adder.training import train as fit
from mnist_adder.training.distributed import is_rank_zero
from mnist_adder.training.finish import finish
from mnist_adder.training.run_lock import new_run, stopped_run
from mnist_adder.training.sweep import train_or_resume

MEMBERS = "ensemble_size"
"""The folder of an ensemble's run that holds its members' runs, one a seed."""


def train_ensemble(
    ensemble_size: int,
    model: str = models.DEFAULT,
    *,
    preset: str | None = None,
    settings: Mapping[str, str | float] | None = None,
    seed: int = 0,
    dataset: DatasetName = "auto",
    data_dir: Path | None = None,
    run_dir: Path | None = None,
    devices: int = 1,
    nodes: int = 1,
    notify: Callable[[str], None] = lambda _: None,
    callbacks: Callable[[], Sequence[L.Callback]] = lambda: (),
) -> Run:
    """Train ``ensemble_size`` networks with the seeds ``seed``, ``seed + 1``, ... and join them.

    Arguments as for :func:`mnist_adder.training.train`, which this is with one member; ``callbacks`` makes
    the callbacks of one.

    Raises:
        ModelError, DataError, RunError, DivergedError, KeyboardInterrupt: as there.
    """
    if ensemble_size == 1:
        return fit.train(
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
            callbacks=callbacks(),
        )
    fit.check_settings(model, preset, settings)
    data = load_images(dataset, data_dir, notify)
    config = fit.configure(
        data,
        model,
        preset=preset,
        ensemble_size=ensemble_size,
        settings=settings,
        seed=seed,
        devices=devices,
        nodes=nodes,
    )
    with new_run(run_dir, config, data, notify) as run:
        return _train_members(run, data, data_dir, notify, callbacks)


def resume(
    folder: Path,
    *,
    data_dir: Path | None = None,
    notify: Callable[[str], None] = lambda _: None,
    callbacks: Callable[[], Sequence[L.Callback]] = lambda: (),
) -> Run:
    """Resume a stopped run, of one network or an ensemble; see :mod:`mnist_adder.training.train`."""
    if load_run(folder).config.ensemble_size == 1:
        return fit.resume(folder, data_dir=data_dir, notify=notify, callbacks=callbacks())
    with stopped_run(folder, data_dir, notify) as (run, data):
        return run if data is None else _train_members(run, data, data_dir, notify, callbacks)


def _train_members(
    run: Run,
    data: DigitImages,
    data_dir: Path | None,
    notify: Callable[[str], None],
    callbacks: Callable[[], Sequence[L.Callback]],
) -> Run:
    config, runs = run.config, []
    settings = dict(vars(config.recipe))
    for place in range(config.ensemble_size):
        notify(f"\nMember {place + 1} of {config.ensemble_size}.")
        seed = config.seed + place
        member = train_or_resume(
            run.folder / MEMBERS / f"seed{seed}",
            config.model,
            preset=config.preset,
            settings=settings,
            seed=seed,
            dataset=config.dataset,
            data_dir=data_dir,
            devices=config.devices,
            nodes=config.nodes,
            notify=notify,
            callbacks=callbacks(),
        )
        runs.append(member)
    run = Run(runs[0].folder.parents[1], config)  # as the first process named it
    if is_rank_zero():
        _join(run, runs, data)
    return run


def _join(run: Run, members: Sequence[Run], data: DigitImages) -> None:
    """One model of all members; an epoch's figures are the members' means, its seconds their sum."""
    rows = [
        {name: sum(row[name] for row in same) / len(members) for name in same[0]}
        for same in zip(*(member.metrics for member in members), strict=False)  # some may have stopped early
    ]
    for row in rows:
        row["seconds"] *= len(members)
    run.save_metrics(rows)
    ensemble = Ensemble([member.load_model() for member in members])
    seconds = sum(member.results["train_seconds"] for member in members)
    finish(run, ensemble.eval(), data, train_seconds=seconds, best_epoch=len(rows))
