"""Training: from a TrainConfig to a finished run folder.

:func:`train` begins a run and :func:`resume` resumes one; both end in :func:`complete_run`, which evaluates
the network and writes everything down. An ensemble is a loop over its members' runs.
"""

from __future__ import annotations

import dataclasses
import logging
import shutil
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import lightning as L
from lightning.pytorch.callbacks import ModelCheckpoint

from mnist_adder import environment, models
from mnist_adder.data import DeviceLoader, DigitImages, MNISTAdder, load_images
from mnist_adder.errors import DivergedError, RunError
from mnist_adder.evaluation.evaluate import predict_split
from mnist_adder.evaluation.examples import pick_mistakes, pick_samples
from mnist_adder.evaluation.metrics import compute_metrics
from mnist_adder.inference.export import describe, export_onnx
from mnist_adder.inference.predictor import MODEL
from mnist_adder.models import Adder, Ensemble
from mnist_adder.models.summary import summarize
from mnist_adder.reproduce import command
from mnist_adder.run_config import RunConfig
from mnist_adder.runs import Run, load_run
from mnist_adder.training import checkpoints
from mnist_adder.training.callbacks import (
    Averaging,
    GracefulInterrupt,
    MetricsLogger,
    StopIfDiverged,
    early_stopping,
)
from mnist_adder.training.config import TrainConfig
from mnist_adder.training.distributed import check_processes, is_rank_zero, launcher
from mnist_adder.training.lit_module import AdderModule, make_train_loader
from mnist_adder.training.run_lock import new_run, stopped_run

Notify = Callable[[str], None]
"""Receives the sentences that a user should see."""
MakeCallbacks = Callable[[], Sequence[L.Callback]]
"""Makes the further Lightning callbacks of one training, such as a progress bar."""

MEMBERS = "members"
"""The folder of an ensemble's run that holds its members' runs."""


def _nothing(_: str) -> None: ...


def _none() -> Sequence[L.Callback]:
    return ()


def train(
    config: TrainConfig | None = None, *, notify: Notify = _nothing, callbacks: MakeCallbacks = _none
) -> Run:
    """Train a model, evaluate it on all test pairs, and leave everything in a run folder.

    Example::

        run = train(TrainConfig(model="shared-trunk", recipe={"epochs": 3}, dataset="digits"))

    Args:
        config: what to train; by default our model with its own recipe.
        notify: receives the sentences that a user should see before training begins.
        callbacks: makes further Lightning callbacks.

    Returns:
        The run, with weights, metrics and results.

    Raises:
        ModelError: no such model, or a setting that makes no sense.
        DataError: the dataset cannot be had.
        RunError: the run folder is taken, in use or cannot be written to, or the devices and nodes are not
            those that were started or cannot share the batches.
        DivergedError: the loss diverged; the message says where the last good weights are.
        KeyboardInterrupt: stopped by Ctrl-C; its argument is the run's folder, for :func:`resume`.
    """
    config = config or TrainConfig()
    config.build_recipe()  # a mistake is told before anything is downloaded
    data = load_images(config.dataset, config.data_dir, notify)
    run_config = config.to_run_config(data)
    check_processes(config.devices, config.nodes, run_config.recipe.batch_size)
    with new_run(config.run_dir, run_config, data, notify) as run:
        return _fit(run, data, config.data_dir, notify, callbacks)


def resume(
    folder: Path,
    *,
    data_dir: Path | None = None,
    notify: Notify = _nothing,
    callbacks: MakeCallbacks = _none,
) -> Run:
    """Resume a run that was stopped, from its last whole epoch; arguments as for :func:`train`.

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
        if is_rank_zero() and config.ensemble_size == 1:
            checkpoint = checkpoints.last(folder)
            begin = f"after epoch {checkpoints.epochs_done(checkpoint)}" if checkpoint.exists() else "anew"
            notify(f"{config.model} on {data.dataset} ({data.origin}) resumes {begin}.")
        return _fit(run, data, data_dir, notify, callbacks)


def train_or_resume(
    config: TrainConfig, *, notify: Notify = _nothing, callbacks: MakeCallbacks = _none
) -> Run:
    """What is wanted in ``config.run_dir``: trained now, resumed where it was stopped, or found finished.

    Raises:
        RunError: the run that is there was trained otherwise than asked for now, or is in use.
        DivergedError: its loss diverged.
    """
    assert config.run_dir is not None
    if not (config.run_dir / "config.json").exists():
        return train(config, notify=notify, callbacks=callbacks)
    found = load_run(config.run_dir).config
    same = (found.model, found.preset, found.seed) == (config.model, config.preset, config.seed)
    same = same and config.dataset in ("auto", found.dataset)
    if not same or found.recipe.replaced(config.recipe) != found.recipe:
        raise RunError(
            f"{config.run_dir} was trained otherwise: {found.model} on {found.dataset}, seed {found.seed}, "
            f"{found.recipe.epochs} epochs. Name another folder."
        )
    return resume(config.run_dir, data_dir=config.data_dir, notify=notify, callbacks=callbacks)


def complete_run(run: Run, model: Adder, data: DigitImages, *, train_seconds: float, best_epoch: int) -> None:
    """Save the model, evaluate it on all test pairs, and write what came of it; results.json comes last.

    Args:
        run: its folder is written to.
        model: trained, on any device.
        data: whose test images are asked about.
        train_seconds: what training took.
        best_epoch: the epoch after which the weights were as they are, counted from 1.
    """
    run.save_model(model)
    test = MNISTAdder(split="test", data=data)
    answers = predict_split(model, test)
    samples, mistakes = pick_samples(model, test), pick_mistakes(model, test, answers)
    run.save_examples({**samples.to_tensors("sample_"), **mistakes.to_tensors("mistake_")})
    about = run.config.to_json()
    results = {
        "model": about.pop("model"),
        "command": command(run.config),
        "dataset": about.pop("dataset"),
        "seed": about.pop("seed"),
        "epochs": len(run.metrics),
        "best_epoch": best_epoch,
        "parameters": model.parameter_count(),
        "multiply_adds": summarize(model).multiply_adds,
        "device": about.pop("device"),
        "train_seconds": round(train_seconds, 2),
        **dataclasses.asdict(compute_metrics(answers, test.digits)),
        **about,
    }
    export_onnx(model, run.folder / MODEL, metadata=describe(results))
    run.save_results(results)


def what_to_do(config: RunConfig) -> str:
    """The sentence for someone whose training diverged."""
    finder = "" if config.preset else f", which mnist-adder find-lr {config.model} suggests"
    return (
        f"Train again, in another folder, with a lower rate than {config.recipe.learning_rate:g}: "
        f"--set learning_rate=...{finder}."
    )


def _fit(run: Run, data: DigitImages, data_dir: Path | None, notify: Notify, callbacks: MakeCallbacks) -> Run:
    if run.config.ensemble_size == 1:
        return fit_run(run, data, callbacks())
    return _fit_ensemble(run, data, data_dir, notify, callbacks)


def _fit_ensemble(
    run: Run, data: DigitImages, data_dir: Path | None, notify: Notify, callbacks: MakeCallbacks
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
            run_dir=run.folder / MEMBERS / f"seed{seed}",
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
    started = time.perf_counter() - checkpoints.seconds(run.folder)  # as if it had not been stopped
    try:
        _run_trainer(trainer, model, run, data)
    except DivergedError as error:
        kept = _keep_last_good(run, model)
        raise DivergedError(
            f"{run.config.model} diverged: {error}. {kept} {what_to_do(run.config)}"
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
                AdderModule(model, recipe),
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
    averaging = [] if recipe.weight_averaging == "none" else [Averaging(recipe)]
    folder = run.folder / checkpoints.FOLDER
    checkpoint = ModelCheckpoint(folder, filename="last", enable_version_counter=False)
    early = early_stopping(recipe, folder) if recipe.patience else []
    interrupt = GracefulInterrupt()
    return L.Trainer(
        accelerator=device.type,
        devices=run.config.devices,
        num_nodes=run.config.nodes,
        plugins=[launcher(), checkpoints.AtomicCheckpointIO()],
        strategy="ddp" if several else "auto",
        sync_batchnorm=several and device.type == "cuda",  # torch has it for CUDA alone
        precision=run.config.precision,
        max_epochs=recipe.epochs,
        callbacks=[
            *averaging,
            StopIfDiverged(),
            MetricsLogger(run),
            *early,
            *callbacks,
            checkpoint,
            interrupt,
        ],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )
