"""Training an ensemble: its members one after the other, each in a run of its own, then all in one model.

A design's name and settings come in, one Run goes out; it is evaluated, exported and asked like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import lightning as L

from mnist_adder import designs
from mnist_adder.data import Corpus, load_corpus
from mnist_adder.data.sources import DatasetName
from mnist_adder.designs import Ensemble
from mnist_adder.runs import Run, load_run
from mnist_adder.training import fit
from mnist_adder.training.finish import finish
from mnist_adder.training.processes import is_first_process
from mnist_adder.training.series import train_or_carry_on
from mnist_adder.training.taken import new_run, stopped_run

MEMBERS = "members"
"""The folder of an ensemble's run that holds its members' runs, one a seed."""


def train_ensemble(
    members: int,
    design: str = designs.DEFAULT,
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
    """Train ``members`` networks with the seeds ``seed``, ``seed + 1``, ... and join them.

    Arguments as for :func:`mnist_adder.training.train`, which this is with one member; ``callbacks`` makes
    the callbacks of one.

    Raises:
        DesignError, DataError, RunError, DivergedError, KeyboardInterrupt: as there.
    """
    if members == 1:
        return fit.train(
            design,
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
    fit.check_settings(design, preset, settings)
    corpus = load_corpus(dataset, data_dir, notify)
    config = fit.configure(
        corpus,
        design,
        preset=preset,
        members=members,
        settings=settings,
        seed=seed,
        devices=devices,
        nodes=nodes,
    )
    with new_run(run_dir, config, corpus, notify) as run:
        return _train_members(run, corpus, data_dir, notify, callbacks)


def resume(
    folder: Path,
    *,
    data_dir: Path | None = None,
    notify: Callable[[str], None] = lambda _: None,
    callbacks: Callable[[], Sequence[L.Callback]] = lambda: (),
) -> Run:
    """Carry on a stopped run, of one network or an ensemble; see :func:`mnist_adder.training.fit.resume`."""
    if load_run(folder).config.members == 1:
        return fit.resume(folder, data_dir=data_dir, notify=notify, callbacks=callbacks())
    with stopped_run(folder, data_dir, notify) as (run, corpus):
        return run if corpus is None else _train_members(run, corpus, data_dir, notify, callbacks)


def _train_members(
    run: Run,
    corpus: Corpus,
    data_dir: Path | None,
    notify: Callable[[str], None],
    callbacks: Callable[[], Sequence[L.Callback]],
) -> Run:
    config, runs = run.config, []
    settings = dict(vars(config.recipe))
    for place in range(config.members):
        notify(f"\nMember {place + 1} of {config.members}.")
        seed = config.seed + place
        member = train_or_carry_on(
            run.folder / MEMBERS / f"seed{seed}",
            config.design,
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
    if is_first_process():
        _join(run, runs, corpus)
    return run


def _join(run: Run, members: Sequence[Run], corpus: Corpus) -> None:
    """One model of all members; an epoch's figures are the members' means, its seconds their sum."""
    rows = [
        {name: sum(row[name] for row in same) / len(members) for name in same[0]}
        for same in zip(*(member.metrics for member in members), strict=False)  # some may have stopped early
    ]
    for row in rows:
        row["seconds"] *= len(members)
    run.save_metrics(rows)
    ensemble = Ensemble([member.load_design() for member in members])
    seconds = sum(member.results["train_seconds"] for member in members)
    finish(run, ensemble.eval(), corpus, train_seconds=seconds, kept_epoch=len(rows))
