"""Training: from a TrainConfig to a finished run folder.

:func:`train` begins a run and :func:`resume` resumes one; both end in ``complete_run``, which evaluates the
network and writes everything down. An ensemble is a loop over its members' runs.
"""

from __future__ import annotations

import logging
import shutil
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import lightning as L
from lightning.pytorch.callbacks import ModelCheckpoint

from mnist_adder import environment, models
from mnist_adder.data.dataset import MNISTAdder
from mnist_adder.data.images import DigitImages
from mnist_adder.data.loader import DeviceLoader
from mnist_adder.errors import DivergedError, RunError
from mnist_adder.models import Adder, Ensemble
from mnist_adder.pen.images import load_images
from mnist_adder.runs import Run, load_run, new_folder
from mnist_adder.training import checkpoints
from mnist_adder.training.callbacks import (
    Averaging,
    GracefulInterrupt,
    MetricsLogger,
    StopIfDiverged,
    early_stopping,
)
from mnist_adder.training.complete import complete_run
from mnist_adder.training.config import TrainConfig
from mnist_adder.training.distributed import check_processes, is_rank_zero, launcher
from mnist_adder.training.lit_module import AdderModule, make_train_loader
from mnist_adder.training.run_lock import locked

Notify = Callable[[str], None]
MakeCallbacks = Callable[[], Sequence[L.Callback]]


def train(
    config: TrainConfig | None = None,
    *,
    notify: Notify = lambda _: None,
    callbacks: MakeCallbacks = tuple,  # none
) -> Run:
    """Train a model, evaluate it on all test pairs, and leave everything in a run folder.

    Example::

        run = train(TrainConfig(model="shared-trunk", recipe={"epochs": 3}, dataset="digits"))

    Args:
        config: what to train; by default our model with its own recipe.
        notify: receives the sentences that a user should see before training begins.
        callbacks: makes the further Lightning callbacks of one training, such as a progress bar.

    Raises:
        ModelError: no such model, or a setting that makes no sense.
        DataError: the dataset cannot be had.
        RunError: the run folder is taken, in use or cannot be written to, or the devices and nodes are not
            those that were started or cannot share the batches.
        DivergedError: the loss diverged; the message says where the last good weights are.
        KeyboardInterrupt: stopped by Ctrl-C; its argument is the run's folder, for :func:`resume`.
    """
    environment.limit_threads()
    config = config or TrainConfig()
    config.build_recipe()  # a mistake is told before anything is downloaded
    data = load_images(config.dataset, config.data_dir, notify)
    run_config = config.to_run_config(data)
    check_processes(config.devices, config.nodes, run_config.recipe.batch_size)
    folder = Path(config.run_dir or new_folder(config.preset or config.model, config.seed))
    with locked(folder):
        run = Run.create(folder, run_config) if is_rank_zero() else Run(folder, run_config)
        if is_rank_zero():
            what = config.model if config.preset is None else f"{config.model}, preset {config.preset},"
            notify(f"{what} on {data.dataset} ({data.origin}), seed {config.seed}.")
            notify(f"Device: {run_config.device}, {run_config.precision}. Run folder: {folder}")
        return _fit(run, data, config.data_dir, notify, callbacks)


def resume(
    folder: Path,
    *,
    data_dir: Path | str | None = None,
    notify: Notify = lambda _: None,
    callbacks: MakeCallbacks = tuple,
) -> Run:
    """Resume a run that was stopped, from its last whole epoch; arguments and errors as for :func:`train`.

    On the same machine's processor the run ends with the weights it would have had undisturbed. One that has
    ended is left as it is.
    """
    environment.limit_threads()
    run = load_run(folder)
    config = run.config
    with locked(folder):
        if (folder / "results.json").exists():
            shutil.rmtree(folder / checkpoints.FOLDER, ignore_errors=True)
            notify(f"{folder} has ended already.")
            return run
        data = load_images(config.dataset, data_dir, notify)
        run.check_data(data.sha256, data.origin)
        check_processes(config.devices, config.nodes, config.recipe.batch_size)
        if is_rank_zero() and config.ensemble_size == 1:
            epochs, _ = checkpoints.progress(folder)
            begin = f"after epoch {epochs}" if epochs else "anew"
            notify(f"{config.model} on {data.dataset} ({data.origin}) resumes {begin}.")
        return _fit(run, data, data_dir, notify, callbacks)


def train_or_resume(config: TrainConfig, *, notify: Notify, callbacks: MakeCallbacks = tuple) -> Run:
    """What is wanted in ``config.run_dir``: trained now, resumed where it was stopped, or found finished.

    Raises:
        RunError: the run that is there was trained otherwise than asked for now, or as for :func:`train`.
    """
    assert config.run_dir is not None
    folder = Path(config.run_dir)
    if not (folder / "config.json").exists():
        return train(config, notify=notify, callbacks=callbacks)
    found = load_run(folder).config
    same = (found.model, found.preset, found.seed) == (config.model, config.preset, config.seed)
    same = same and config.dataset in ("auto", found.dataset)
    if not same or found.recipe.replaced(config.recipe) != found.recipe:
        raise RunError(
            f"{folder} was trained otherwise: {found.model} on {found.dataset}, seed {found.seed}, "
            f"{found.recipe.epochs} epochs. Name another folder."
        )
    return resume(folder, data_dir=config.data_dir, notify=notify, callbacks=callbacks)


def _fit(
    run: Run, data: DigitImages, data_dir: Path | str | None, notify: Notify, callbacks: MakeCallbacks
) -> Run:
    if run.config.ensemble_size == 1:
        return fit_run(run, data, callbacks())
    return _fit_ensemble(run, data, data_dir, notify, callbacks)


def _fit_ensemble(
    run: Run, data: DigitImages, data_dir: Path | str | None, notify: Notify, callbacks: MakeCallbacks
) -> Run:
    """Train each member in a run of its own, then join them in one model."""
    config, members = run.config, []
    for place in range(config.ensemble_size):
        notify(f"\nMember {place + 1} of {config.ensemble_size}.")
        seed = config.seed + place
        member = TrainConfig(
            model=config.model,
            preset=config.preset,
            recipe=vars(config.recipe),
            seed=seed,
            dataset=config.dataset,
            data_dir=data_dir,
            precision=config.precision,
            run_dir=run.folder / "members" / f"seed{seed}",
            devices=config.devices,
            nodes=config.nodes,
        )
        members.append(train_or_resume(member, notify=notify, callbacks=callbacks))
    run = Run(members[0].folder.parents[1], config)  # as the first process named it
    if is_rank_zero():
        run.save_metrics(_mean_metrics(members))
        ensemble = Ensemble([member.load_model() for member in members]).eval()
        seconds = sum(member.results["train_seconds"] for member in members)
        complete_run(run, ensemble, data, train_seconds=seconds, best_epoch=len(run.metrics))
    return run


def _mean_metrics(members: Sequence[Run]) -> list[dict[str, float]]:
    """An epoch's figures are the members' means, its seconds their sum."""
    rows = [
        {name: sum(row[name] for row in same) / len(members) for name in same[0]}
        for same in zip(*(member.metrics for member in members), strict=False)  # some may have stopped early
    ]
    for row in rows:
        row["seconds"] *= len(members)
    return rows


def fit_run(run: Run, data: DigitImages, callbacks: Sequence[L.Callback] = ()) -> Run:
    """Train one network, from its last checkpoint on if there is one, and complete the run."""
    L.seed_everything(run.config.seed, verbose=False)
    model = models.build(run.config.model, run.config.preset)
    trainer = _make_trainer(run, callbacks)
    _, seconds_before = checkpoints.progress(run.folder)
    started = time.perf_counter() - seconds_before  # as if it had not been stopped
    try:
        _run_trainer(trainer, model, run, data)
    except DivergedError as error:
        finder = "" if run.config.preset else f", which mnist-adder find-lr {run.config.model} suggests"
        raise DivergedError(
            f"{run.config.model} diverged: {error}. {_keep_last_good(run, model)} Train again, in another "
            f"folder, with a lower rate than {run.config.recipe.learning_rate:g}: "
            f"--set learning_rate=...{finder}."
        ) from None
    seconds = time.perf_counter() - started
    # Where no folder was named each process has made up a name; the first one's is the run's.
    run = Run(Path(trainer.strategy.broadcast(str(run.folder))), run.config)
    if is_rank_zero():
        kept = "best.ckpt" if run.config.recipe.patience else "last.ckpt"
        best_epoch = checkpoints.restore(model, run.folder / checkpoints.FOLDER / kept)
        complete_run(run, model, data, train_seconds=seconds, best_epoch=best_epoch)
        shutil.rmtree(run.folder / checkpoints.FOLDER, ignore_errors=True)
    return run


def _run_trainer(trainer: L.Trainer, model: Adder, run: Run, data: DigitImages) -> None:
    recipe, seed, device = run.config.recipe, run.config.seed, trainer.strategy.root_device
    train_loader = make_train_loader(
        data, recipe, seed=seed, device=device, rank=trainer.global_rank, world_size=trainer.world_size
    )
    validation_loader = None
    if recipe.train_on == "train":
        validation_set = MNISTAdder(split="validation", data=data, seed=seed).to(device)
        validation_loader = DeviceLoader(validation_set, 500, shuffle=False)
    checkpoint = checkpoints.last(run.folder)
    with warnings.catch_warnings():  # Lightning asks torch in an old way, once
        warnings.filterwarnings("ignore", "`isinstance\\(treespec, LeafSpec\\)` is deprecated")
        warnings.filterwarnings("ignore", "Checkpoint directory .* exists and is not empty")  # it is our own
        warnings.filterwarnings("ignore", "It is recommended to use .*sync_dist=True")  # the module does
        warnings.filterwarnings("ignore", "You defined a `validation_step` but have no")  # train_on is all
        try:
            trainer.fit(
                AdderModule(model, recipe, has_outliers=data.has_outliers),
                train_loader,
                validation_loader,
                ckpt_path=checkpoint if checkpoint.exists() else None,
                weights_only=True,
            )
        except SystemExit:  # this is how Lightning ends after Ctrl-C
            raise KeyboardInterrupt(run.folder) from None


def _keep_last_good(run: Run, model: Adder) -> str:
    """Save the weights of the last epoch before the loss diverged, and say where they are."""
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
    several = run.config.devices * run.config.nodes > 1
    folder = run.folder / checkpoints.FOLDER
    return L.Trainer(
        accelerator=device.type,
        devices=run.config.devices,
        num_nodes=run.config.nodes,
        plugins=[launcher(), checkpoints.AtomicCheckpointIO()],
        strategy="ddp" if several else "auto",
        sync_batchnorm=several and device.type == "cuda",  # torch has it for CUDA alone
        precision=run.config.precision,
        max_epochs=recipe.epochs,
        callbacks=[  # Lightning calls checkpoints last, wherever they stand
            *([] if recipe.weight_averaging == "none" else [Averaging(recipe)]),
            StopIfDiverged(),
            MetricsLogger(run),
            *(early_stopping(recipe, folder) if recipe.patience else []),
            *callbacks,
            ModelCheckpoint(folder, filename="last", enable_version_counter=False),
            GracefulInterrupt(),
        ],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )
