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

from mnist_adder import designs, machine, runs
from mnist_adder.data import Batches, Corpus, MNISTAdder, load_corpus
from mnist_adder.data.sources import DatasetName
from mnist_adder.designs import Adder
from mnist_adder.errors import RunError
from mnist_adder.runs import Run, RunConfig, load_run
from mnist_adder.training.callbacks import Averaging, Recorder, StopBetweenSteps, early_stopping
from mnist_adder.training.fast import check_fast, fit_fast
from mnist_adder.training.finish import finish
from mnist_adder.training.module import AdderModule, make_train_batches
from mnist_adder.training.processes import check_processes, is_first_process, launcher

CHECKPOINTS = "checkpoints"
"""The folder of a run that holds what a stopped training carries on from; it goes when training ends."""


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
        RunError: the run folder is taken, or the devices and nodes are not those that were started or
            cannot share the batches.
        KeyboardInterrupt: stopped by Ctrl-C; its argument is the run's folder, for :func:`resume`.
    """
    check_settings(design, preset, settings)  # a mistake is told before anything is downloaded
    corpus = load_corpus(dataset, data_dir, notify)
    config = configure(
        corpus, design, preset=preset, settings=settings, seed=seed, devices=devices, nodes=nodes
    )
    run = begin(run_dir, config, corpus, notify)
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


def begin(run_dir: Path | None, config: RunConfig, corpus: Corpus, notify: Callable[[str], None]) -> Run:
    """Make the run's folder, and say what begins where; of several processes the first one does."""
    folder = run_dir or runs.new_folder(config.preset or config.design, config.seed)
    if not is_first_process():
        return Run(folder, config)
    run = Run.create(folder, config)
    what = config.design if config.preset is None else f"{config.design}, preset {config.preset},"
    notify(f"{what} on {corpus.dataset} ({corpus.origin}), seed {config.seed}.")
    notify(f"Device: {config.device}, {config.precision}. Run folder: {folder}")
    return run


def resume(
    folder: Path,
    *,
    data_dir: Path | None = None,
    notify: Callable[[str], None] = lambda _: None,
    callbacks: Sequence[L.Callback] = (),
) -> Run:
    """Carry on a run that was stopped, from its last whole epoch; arguments as for :func:`train`.

    On the same machine's processor the run ends with the weights it would have had undisturbed.

    Raises:
        RunError: there is no such run, or it has ended.
        DataError: the dataset cannot be had.
    """
    run = load_run(folder)
    if (folder / "results.json").exists():
        raise RunError(f"{folder} has ended. Its results: mnist-adder evaluate {folder}")
    corpus = load_corpus(run.config.dataset, data_dir, notify)
    run.check_data(corpus.sha256, corpus.origin)
    check_processes(run.config.devices, run.config.nodes, run.config.recipe.batch_size)
    checkpoint = folder / CHECKPOINTS / "last.ckpt"
    if is_first_process():
        begin = f"after epoch {len(run.metrics)}" if checkpoint.exists() else "from the start"
        notify(f"{run.config.design} on {corpus.dataset} ({corpus.origin}) carries on {begin}.")
    return fit_run(run, corpus, callbacks, checkpoint if checkpoint.exists() else None)


def fit_run(run: Run, corpus: Corpus, callbacks: Sequence[L.Callback], checkpoint: Path | None = None) -> Run:
    """Do what a run's config says: what :func:`train` does once the folder and the data are there.

    Args:
        run: whose folder is filled.
        corpus: whose images are trained on, validated on and tested on.
        callbacks: as for :func:`train`.
        checkpoint: what to carry on from, if the run was stopped.
    """
    if run.config.preset == "fast":  # a loop of its own, which takes a second: never carried on
        return fit_fast(run, corpus)
    L.seed_everything(run.config.seed, verbose=False)
    design = designs.build(run.config.design, run.config.preset)
    trainer = _make_trainer(run, callbacks)
    seed, device = run.config.seed, trainer.strategy.root_device
    train_batches = make_train_batches(
        corpus,
        run.config.recipe,
        seed=seed,
        device=device,
        rank=trainer.global_rank,
        world_size=trainer.world_size,
    )
    validation_batches = None
    if run.config.recipe.train_on == "train":
        validation_set = MNISTAdder(split="validation", corpus=corpus, seed=seed).to(device)
        validation_batches = Batches(validation_set, 500, shuffle=False)
    started, seconds_before = time.perf_counter(), 0.0
    if checkpoint is not None:
        seconds_before = sum(row["seconds"] for row in run.metrics)
    with warnings.catch_warnings():  # Lightning asks torch in an old way, once
        warnings.filterwarnings("ignore", "`isinstance\\(treespec, LeafSpec\\)` is deprecated")
        warnings.filterwarnings("ignore", "Checkpoint directory .* exists and is not empty")  # it is our own
        warnings.filterwarnings("ignore", "It is recommended to use .*sync_dist=True")  # it joins them
        warnings.filterwarnings("ignore", "You defined a `validation_step` but have no")  # train_on is all
        module = AdderModule(design, run.config.recipe)
        try:
            trainer.fit(module, train_batches, validation_batches, ckpt_path=checkpoint, weights_only=True)
        except SystemExit:  # this is how Lightning ends after Ctrl-C
            raise KeyboardInterrupt(run.folder) from None
    train_seconds = seconds_before + time.perf_counter() - started
    # Where no folder was named each process has made up a name; the first one's is the run's.
    run = Run(Path(trainer.strategy.broadcast(str(run.folder))), run.config)
    if is_first_process():
        kept_epoch = trainer.current_epoch
        if run.config.recipe.patience:
            kept_epoch = _restore_best(design, run.folder / CHECKPOINTS / "best.ckpt")
        finish(run, design, corpus, train_seconds=train_seconds, kept_epoch=kept_epoch)
        shutil.rmtree(run.folder / CHECKPOINTS)
    return run


def _restore_best(design: Adder, checkpoint: Path) -> int:
    """Put back the weights, averaged if they are, of the best epoch; returns which one it was."""
    kept = torch.load(checkpoint, weights_only=True, map_location="cpu")
    weights = {name.removeprefix("design."): tensor for name, tensor in kept["state_dict"].items()}
    design.load_state_dict(weights)
    return int(kept["epoch"]) + 1


def _make_trainer(run: Run, callbacks: Sequence[L.Callback]) -> L.Trainer:
    # Lightning greets, advises and says good-bye on standard error; our own lines say what a user needs.
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    recipe, device = run.config.recipe, machine.best_device()
    together = run.config.devices * run.config.nodes > 1
    averaging = [] if recipe.average == "none" else [Averaging(recipe)]
    checkpoint = ModelCheckpoint(run.folder / CHECKPOINTS, filename="last", enable_version_counter=False)
    early = early_stopping(recipe, run.folder / CHECKPOINTS) if recipe.patience else []
    return L.Trainer(
        accelerator=device.type,
        devices=run.config.devices,
        num_nodes=run.config.nodes,
        plugins=launcher(),
        strategy="ddp" if together else "auto",
        sync_batchnorm=together and device.type == "cuda",  # torch has it for CUDA alone
        precision=run.config.precision,
        max_epochs=recipe.epochs,
        callbacks=[*averaging, Recorder(run), *early, *callbacks, checkpoint, StopBetweenSteps()],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )
