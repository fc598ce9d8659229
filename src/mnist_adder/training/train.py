"""Training a model: from its name to a run folder.

A model's name, a dataset and settings come in; Lightning's Trainer does the loop; a Run with weights,
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

from mnist_adder import environment, models
from mnist_adder.data import DeviceLoader, DigitImages, MNISTAdder, load_images
from mnist_adder.data.sources import DatasetName
from mnist_adder.errors import DivergedError
from mnist_adder.models import Adder
from mnist_adder.runs import Run, RunConfig
from mnist_adder.training import checkpoints
from mnist_adder.training.callbacks import (
    Averaging,
    GracefulInterrupt,
    MetricsLogger,
    StopIfDiverged,
    early_stopping,
)
from mnist_adder.training.distributed import check_processes, is_rank_zero, launcher
from mnist_adder.training.divergence import what_to_do
from mnist_adder.training.finish import finish
from mnist_adder.training.lit_module import AdderModule, make_train_loader
from mnist_adder.training.run_lock import new_run, stopped_run


def train(
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
    callbacks: Sequence[L.Callback] = (),
) -> Run:
    """Train a model, evaluate it on all test pairs, and leave everything in a run folder.

    Args:
        model: the model's name.
        preset: another network of the model, with its recipe: see :mod:`mnist_adder.models.presets`.
        settings: recipe settings that differ from the model's or preset's own: ``{"epochs": 3}``.
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
        ModelError: no such model, or a setting that makes no sense.
        DataError: the dataset cannot be had.
        RunError: the run folder is taken, in use or cannot be written to, or the devices and nodes are not
            those that were started or cannot share the batches.
        DivergedError: the loss ran away; the message says where the last good weights are.
        KeyboardInterrupt: stopped by Ctrl-C; its argument is the run's folder, for :func:`resume`.
    """
    check_settings(model, preset, settings)  # a mistake is told before anything is downloaded
    data = load_images(dataset, data_dir, notify)
    config = configure(data, model, preset=preset, settings=settings, seed=seed, devices=devices, nodes=nodes)
    with new_run(run_dir, config, data, notify) as run:
        return fit_run(run, data, callbacks)


def check_settings(model: str, preset: str | None, settings: Mapping[str, str | float] | None) -> None:
    """Refuse a model, preset or setting that does not exist.

    Raises:
        ModelError: it does not, or makes no sense.
    """
    models.recipe_of(model, preset).replaced(settings or {})


def configure(
    data: DigitImages,
    model: str,
    *,
    preset: str | None = None,
    ensemble_size: int = 1,
    settings: Mapping[str, str | float] | None = None,
    seed: int = 0,
    devices: int = 1,
    nodes: int = 1,
) -> RunConfig:
    """Everything that a run will depend on, and what it runs on; arguments as for :func:`train`.

    Raises:
        ModelError: no such model or preset, or a setting that makes no sense.
        RunError: the devices and nodes are not those that were started, or cannot share the batches.
    """
    recipe = models.recipe_of(model, preset).scaled_to(len(data.train_digits)).replaced(settings or {})
    check_processes(devices, nodes, recipe.batch_size)
    device = environment.best_device()
    return RunConfig(
        model=model,
        preset=preset,
        ensemble_size=ensemble_size,
        recipe=recipe,
        seed=seed,
        dataset=data.dataset,
        data_sha256=data.sha256,
        device=environment.describe_device(device),
        precision=environment.best_precision(device),
        devices=devices,
        nodes=nodes,
        threads=torch.get_num_threads(),
        versions=environment.versions(),
        commit=environment.source_commit(),
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
    with stopped_run(folder, data_dir, notify) as (run, data):
        if data is None:
            return run
        config = run.config
        check_processes(config.devices, config.nodes, config.recipe.batch_size)
        checkpoint = checkpoints.last(folder)
        begin = "from the start"
        if checkpoint.exists():
            begin = f"after epoch {checkpoints.epochs_done(checkpoint)}"
        if is_rank_zero():
            notify(f"{config.model} on {data.dataset} ({data.origin}) carries on {begin}.")
        return fit_run(run, data, callbacks)


def fit_run(run: Run, data: DigitImages, callbacks: Sequence[L.Callback]) -> Run:
    """Do what a run's config says, from its last checkpoint on if there is one, and complete the run.

    Args:
        run: whose folder is filled.
        data: whose images are trained on, validated on and tested on.
        callbacks: as for :func:`train`.

    Raises:
        DivergedError, KeyboardInterrupt: as for :func:`train`.
    """
    L.seed_everything(run.config.seed, verbose=False)
    model = models.build(run.config.model, run.config.preset)
    trainer = _make_trainer(run, callbacks)
    started = time.perf_counter() - checkpoints.seconds(run.folder)  # as if it had not been stopped
    try:
        _fit(trainer, model, run, data)
    except DivergedError as error:
        said = f"{run.config.model} diverged: {error}. {_keep_good(run, model)}"
        raise DivergedError(f"{said} {what_to_do(run.config)}") from None
    seconds = time.perf_counter() - started
    # Where no folder was named each process has made up a name; the first one's is the run's.
    run = Run(Path(trainer.strategy.broadcast(str(run.folder))), run.config)
    if is_rank_zero():
        kept = "best.ckpt" if run.config.recipe.patience else "last.ckpt"
        best_epoch = checkpoints.restore(model, run.folder / checkpoints.FOLDER / kept)
        finish(run, model, data, train_seconds=seconds, best_epoch=best_epoch)
        shutil.rmtree(run.folder / checkpoints.FOLDER, ignore_errors=True)
    return run


def _fit(trainer: L.Trainer, model: Adder, run: Run, data: DigitImages) -> None:
    recipe, seed, device = run.config.recipe, run.config.seed, trainer.strategy.root_device
    train_batches = make_train_loader(
        data, recipe, seed=seed, device=device, rank=trainer.global_rank, world_size=trainer.world_size
    )
    validation_batches = None
    if recipe.train_on == "train":
        validation_set = MNISTAdder(split="validation", data=data, seed=seed).to(device)
        validation_batches = DeviceLoader(validation_set, 500, shuffle=False)
    checkpoint = checkpoints.last(run.folder)
    with warnings.catch_warnings():  # Lightning asks torch in an old way, once
        warnings.filterwarnings("ignore", "`isinstance\\(treespec, LeafSpec\\)` is deprecated")
        warnings.filterwarnings("ignore", "Checkpoint directory .* exists and is not empty")  # it is our own
        warnings.filterwarnings("ignore", "It is recommended to use .*sync_dist=True")  # it joins them
        warnings.filterwarnings("ignore", "You defined a `validation_step` but have no")  # train_on is all
        try:
            trainer.fit(
                AdderModule(model, recipe),
                train_batches,
                validation_batches,
                ckpt_path=checkpoint if checkpoint.exists() else None,
                weights_only=True,
            )
        except SystemExit:  # this is how Lightning ends after Ctrl-C
            raise KeyboardInterrupt(run.folder) from None


def _keep_good(run: Run, model: Adder) -> str:
    """Save the weights of the last epoch that was not diverged yet, and say where they are."""
    checkpoint = checkpoints.last(run.folder)
    if not checkpoint.exists():
        return "It had learned nothing before, so there are no weights to keep."
    epoch = checkpoints.restore(model, checkpoint)
    if is_rank_zero():
        run.save_model(model)
    return f"The weights after epoch {epoch} are in {run.folder / 'model.safetensors'}."


def _make_trainer(run: Run, callbacks: Sequence[L.Callback]) -> L.Trainer:
    # Lightning greets, advises and says good-bye on standard error; our own lines say what a user needs.
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    recipe, device = run.config.recipe, environment.best_device()
    together = run.config.devices * run.config.nodes > 1
    averaging = [] if recipe.weight_averaging == "none" else [Averaging(recipe)]
    folder = run.folder / checkpoints.FOLDER
    checkpoint = ModelCheckpoint(folder, filename="last", enable_version_counter=False)
    early = early_stopping(recipe, folder) if recipe.patience else []
    stop = GracefulInterrupt()
    return L.Trainer(
        accelerator=device.type,
        devices=run.config.devices,
        num_nodes=run.config.nodes,
        plugins=[launcher(), checkpoints.AtomicCheckpointIO()],
        strategy="ddp" if together else "auto",
        sync_batchnorm=together and device.type == "cuda",  # torch has it for CUDA alone
        precision=run.config.precision,
        max_epochs=recipe.epochs,
        callbacks=[*averaging, StopIfDiverged(), MetricsLogger(run), *early, *callbacks, checkpoint, stop],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )
