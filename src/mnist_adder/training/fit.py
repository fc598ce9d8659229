"""Training a design: from its name to a run folder.

A design's name, a dataset and settings come in; Lightning's Trainer does the loop; a Run with weights,
metrics and results goes out, for ``evaluation``, ``reports`` and ``inference`` to read.
"""

from __future__ import annotations

import logging
import shutil
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from mnist_adder import designs, machine
from mnist_adder.data import Batches, Corpus, MNISTAdder, load_corpus
from mnist_adder.data.sources import DatasetName
from mnist_adder.designs import Adder
from mnist_adder.errors import DivergedError, RunError
from mnist_adder.runs import Run, RunConfig
from mnist_adder.training import checkpoints
from mnist_adder.training.callbacks import (
    Averaging,
    Recorder,
    StopBetweenSteps,
    StopIfDiverged,
    early_stopping,
)
from mnist_adder.training.divergence import what_to_do
from mnist_adder.training.fast import check_fast, fit_fast
from mnist_adder.training.finish import finish
from mnist_adder.training.module import AdderModule, make_train_batches
from mnist_adder.training.processes import check_processes, is_first_process, launcher
from mnist_adder.training.taken import new_run, stopped_run


def train(
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
    callbacks: Sequence[L.Callback] = (),
) -> Run:
    """Train a design, evaluate it on all test pairs, and leave everything in a run folder.

    Args:
        design: the design's name.
        preset: another network of the design, with its recipe: see :mod:`mnist_adder.designs.presets`.
        settings: recipe settings that differ from the design's or preset's own: ``{"epochs": 3}``.
        seed: of the weights, the order of the images, the numbers and the augmentation.
        dataset: ``mnist``, ``digits``, or ``auto``: MNIST, else the bundled digits.
        data_dir: the folder of the four MNIST files, if not the usual places.
        run_dir: the run's folder, new or empty; by default a new one below ``runs/``.
        devices: how many processes train together on each node, one a device.
        nodes: how many machines train together; something must start a process on each.
        notify: receives the sentences a user should see before it begins.
        callbacks: further Lightning callbacks, such as :class:`mnist_adder.training.Progress`.

    Returns:
        The run, with weights, metrics and results.

    Raises:
        DesignError: no such design, or a setting that makes no sense.
        DataError: the dataset cannot be had.
        RunError: the run folder is taken, in use or cannot be written to, or the devices and nodes are not
            those that were started or cannot share the batches.
        DivergedError: the loss ran away; the message says where the last good weights are.
        KeyboardInterrupt: stopped by Ctrl-C; its argument is the run's folder, for :func:`resume`.
    """
    check_settings(design, preset, settings)  # a mistake is told before anything is downloaded
    corpus = load_corpus(dataset, data_dir, notify)
    config = configure(
        corpus, design, preset=preset, settings=settings, seed=seed, devices=devices, nodes=nodes
    )
    with new_run(run_dir, config, corpus, notify) as run:
        return fit_run(run, corpus, callbacks)


def check_settings(design: str, preset: str | None, settings: Mapping[str, str | float] | None) -> None:
    """Refuse a design, preset or setting that does not exist.

    Raises:
        DesignError: it does not, or makes no sense.
    """
    recipe = designs.recipe_of(design, preset).replaced(settings or {})
    if preset == "fast":
        check_fast(recipe)


def configure(
    corpus: Corpus,
    design: str,
    *,
    preset: str | None = None,
    members: int = 1,
    settings: Mapping[str, str | float] | None = None,
    seed: int = 0,
    devices: int = 1,
    nodes: int = 1,
) -> RunConfig:
    """Everything that a run will depend on, and what it runs on; arguments as for :func:`train`.

    Raises:
        DesignError: no such design or preset, or a setting that makes no sense.
        RunError: the devices and nodes are not those that were started, or cannot share the batches.
    """
    recipe = designs.recipe_of(design, preset).scaled_to(len(corpus.train_digits)).replaced(settings or {})
    check_processes(devices, nodes, recipe.batch_size)
    device = machine.best_device()
    if preset == "fast":  # a lean loop for processors
        if devices * nodes > 1:
            raise RunError("The preset fast trains in one process: leave out --devices and --nodes.")
        device = torch.device("cpu")
    return RunConfig(
        design=design,
        preset=preset,
        members=members,
        recipe=recipe,
        seed=seed,
        dataset=corpus.dataset,
        data_sha256=corpus.sha256,
        device=machine.describe_device(device),
        precision=machine.best_precision(device),
        devices=devices,
        nodes=nodes,
        threads=torch.get_num_threads(),
        versions=machine.versions(),
        commit=machine.source_commit(),
    )


def resume(
    folder: Path,
    *,
    data_dir: Path | None = None,
    notify: Callable[[str], None] = lambda _: None,
    callbacks: Sequence[L.Callback] = (),
) -> Run:
    """Carry on a run that was stopped, from its last whole epoch; arguments as for :func:`train`.

    On the same machine's processor the run ends with the weights it would have had undisturbed. One that has
    ended is left as it is.

    Raises:
        RunError: there is no such run, or as for :func:`train`.
        DataError: the dataset cannot be had.
        DivergedError, KeyboardInterrupt: as for :func:`train`.
    """
    with stopped_run(folder, data_dir, notify) as (run, corpus):
        if corpus is None:
            return run
        config = run.config
        check_processes(config.devices, config.nodes, config.recipe.batch_size)
        checkpoint = checkpoints.last(folder)
        begin = "from the start"
        if checkpoint.exists():
            begin = f"after epoch {checkpoints.epochs_done(checkpoint)}"
        if is_first_process():
            notify(f"{config.design} on {corpus.dataset} ({corpus.origin}) carries on {begin}.")
        return fit_run(run, corpus, callbacks)


def fit_run(run: Run, corpus: Corpus, callbacks: Sequence[L.Callback]) -> Run:
    """Do what a run's config says, from its last checkpoint on if there is one, and complete the run.

    Args:
        run: whose folder is filled.
        corpus: whose images are trained on, validated on and tested on.
        callbacks: as for :func:`train`.

    Raises:
        DivergedError, KeyboardInterrupt: as for :func:`train`.
    """
    if run.config.preset == "fast":  # a loop of its own, which takes a second: never carried on
        return fit_fast(run, corpus)
    L.seed_everything(run.config.seed, verbose=False)
    design = designs.build(run.config.design, run.config.preset)
    trainer = _make_trainer(run, callbacks)
    started = time.perf_counter() - checkpoints.seconds(run.folder)  # as if it had not been stopped
    try:
        _fit(trainer, design, run, corpus)
    except DivergedError as error:
        said = f"{run.config.design} diverged: {error}. {_keep_good(run, design)}"
        raise DivergedError(f"{said} {what_to_do(run.config)}") from None
    seconds = time.perf_counter() - started
    # Where no folder was named each process has made up a name; the first one's is the run's.
    run = Run(Path(trainer.strategy.broadcast(str(run.folder))), run.config)
    if is_first_process():
        kept = "best.ckpt" if run.config.recipe.patience else "last.ckpt"
        kept_epoch = checkpoints.restore(design, run.folder / checkpoints.FOLDER / kept)
        finish(run, design, corpus, train_seconds=seconds, kept_epoch=kept_epoch)
        shutil.rmtree(run.folder / checkpoints.FOLDER, ignore_errors=True)
    return run


def _fit(trainer: L.Trainer, design: Adder, run: Run, corpus: Corpus) -> None:
    recipe, seed, device = run.config.recipe, run.config.seed, trainer.strategy.root_device
    train_batches = make_train_batches(
        corpus, recipe, seed=seed, device=device, rank=trainer.global_rank, world_size=trainer.world_size
    )
    validation_batches = None
    if recipe.train_on == "train":
        validation_set = MNISTAdder(split="validation", corpus=corpus, seed=seed).to(device)
        validation_batches = Batches(validation_set, 500, shuffle=False)
    checkpoint = checkpoints.last(run.folder)
    with warnings.catch_warnings():  # Lightning asks torch in an old way, once
        warnings.filterwarnings("ignore", "`isinstance\\(treespec, LeafSpec\\)` is deprecated")
        warnings.filterwarnings("ignore", "Checkpoint directory .* exists and is not empty")  # it is our own
        warnings.filterwarnings("ignore", "It is recommended to use .*sync_dist=True")  # it joins them
        warnings.filterwarnings("ignore", "You defined a `validation_step` but have no")  # train_on is all
        try:
            trainer.fit(
                AdderModule(design, recipe),
                train_batches,
                validation_batches,
                ckpt_path=checkpoint if checkpoint.exists() else None,
                weights_only=True,
            )
        except SystemExit:  # this is how Lightning ends after Ctrl-C
            raise KeyboardInterrupt(run.folder) from None


def _keep_good(run: Run, design: Adder) -> str:
    """Save the weights of the last epoch that was not diverged yet, and say where they are."""
    checkpoint = checkpoints.last(run.folder)
    if not checkpoint.exists():
        return "It had learned nothing before, so there are no weights to keep."
    epoch = checkpoints.restore(design, checkpoint)
    if is_first_process():
        run.save_design(design)
    return f"The weights after epoch {epoch} are in {run.folder / 'model.safetensors'}."


def _make_trainer(run: Run, callbacks: Sequence[L.Callback]) -> L.Trainer:
    # Lightning greets, advises and says good-bye on standard error; our own lines say what a user needs.
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    recipe, device = run.config.recipe, machine.best_device()
    together = run.config.devices * run.config.nodes > 1
    averaging = [] if recipe.average == "none" else [Averaging(recipe)]
    folder = run.folder / checkpoints.FOLDER
    checkpoint = ModelCheckpoint(folder, filename="last", enable_version_counter=False)
    early = early_stopping(recipe, folder) if recipe.patience else []
    stop = StopBetweenSteps()
    return L.Trainer(
        accelerator=device.type,
        devices=run.config.devices,
        num_nodes=run.config.nodes,
        plugins=[launcher(), checkpoints.WholeFiles()],
        strategy="ddp" if together else "auto",
        sync_batchnorm=together and device.type == "cuda",  # torch has it for CUDA alone
        precision=run.config.precision,
        max_epochs=recipe.epochs,
        callbacks=[*averaging, StopIfDiverged(), Recorder(run), *early, *callbacks, checkpoint, stop],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )
