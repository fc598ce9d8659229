"""What Lightning calls beside the steps: averaging the weights, writing metrics, stopping."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint, WeightAveraging
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn, get_swa_avg_fn
from torch.utils.tensorboard import SummaryWriter

from mnist_adder.errors import DivergedError
from mnist_adder.models import Recipe
from mnist_adder.runs import Run
from mnist_adder.training.complete import check_weights
from mnist_adder.training.lit_module import AdderModule

DIVERGED = 1e4  # a mean training loss, of digits or sums, above this: guessing gives 100 at most


class Averaging(WeightAveraging):
    """Averages the weights over the steps, exponentially (ema) or evenly over the last part (swa).

    The EMA's decay is warmed up, as if the average were over no more than the steps so far: otherwise a short
    training would end with an average of its start. The learning rate is left alone. Validation sees the
    average, and training ends with it; batch normalisation's statistics are averaged too.
    """

    def __init__(self, recipe: Recipe) -> None:
        if recipe.weight_averaging == "ema":
            super().__init__(multi_avg_fn=self._ema)
        else:
            super().__init__(avg_fn=get_swa_avg_fn())  # the multi-tensor one fails on whole-number buffers
        self.recipe = recipe
        self.step = 0
        self.start_step = 0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self.recipe.weight_averaging == "swa":
            self.start_step = int(self.recipe.swa_start * trainer.estimated_stepping_batches)

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        if step_idx is None or step_idx < self.start_step:
            return False
        self.step = step_idx
        return True

    def _ema(self, averages: Any, weights: Any, count: Tensor | int) -> None:
        """The count of averages is a tensor on the device; reading it would wait for the device."""
        decay = min(self.recipe.ema_decay, (1 + self.step) / (10 + self.step))
        get_ema_multi_avg_fn(decay)(averages, weights, count)

    def _swap_models(self, pl_module: L.LightningModule) -> None:
        if self._latest_update_step > 0:  # before, the average is the network as it was at the start
            super()._swap_models(pl_module)

    def on_save_checkpoint(
        self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        super().on_save_checkpoint(trainer, pl_module, checkpoint)
        if self._latest_update_step == 0:
            checkpoint["state_dict"] = checkpoint["current_model_state"]


class StopIfDiverged(L.Callback):
    """Ends a training that has diverged after the epoch, before anything of that epoch is written."""

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, AdderModule)
        try:
            check_losses({name: float(value) for name, value in trainer.callback_metrics.items()})
            check_weights(pl_module.model)
        except DivergedError as error:
            raise DivergedError(f"in epoch {trainer.current_epoch + 1} {error}") from None


def check_losses(figures: Mapping[str, float]) -> None:
    """Raise DivergedError if an epoch's loss is not finite, or a training loss is too high.

    Validation losses are high in short trainings, while batch normalisation has seen few images.
    """
    for name, loss in figures.items():
        limit = DIVERGED if name in ("train_digit_loss", "train_sum_loss") else math.inf
        if name.endswith("loss") and not abs(loss) < limit:
            raise DivergedError(f"its {name} is {loss:.3g}")


@contextmanager
def _silent_threads() -> Iterator[None]:
    """TensorBoard's thread passes its errors on to flush(), which raises them, but prints them as well."""
    before, threading.excepthook = threading.excepthook, lambda _: None
    try:
        yield
    finally:
        threading.excepthook = before


class MetricsLogger(L.Callback):
    """Writes every epoch's figures to metrics.csv, a row an epoch, and for TensorBoard."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.rows: list[dict[str, float]] = []
        self.curves: SummaryWriter | None = None  # in the first process alone

    @_silent_threads()
    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.is_global_zero:
            # Points of a stopped run after its last whole epoch are purged.
            purge = len(self.rows) + 1 if self.rows else None
            self.curves = SummaryWriter(self.run.folder / "tensorboard", purge_step=purge)

    @_silent_threads()
    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        figures = {name: round(float(value), 6) for name, value in trainer.callback_metrics.items()}
        epoch = trainer.current_epoch + 1
        self.rows.append({"epoch": epoch, **figures})
        if self.curves is not None:
            self.run.save_metrics(self.rows)
            for name, value in figures.items():
                self.curves.add_scalar(_tag(name), value, epoch)
            self.curves.flush()

    @_silent_threads()
    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self.curves is not None:
            self.curves.close()

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = state_dict["rows"]


def _tag(figure: str) -> str:
    """TensorBoard's name for a figure: ``sum_loss/train`` is shown beside ``sum_loss/validation``."""
    part, _, name = figure.partition("_")
    return f"{name}/{part}" if part in ("train", "validation") else figure


class GracefulInterrupt(L.Callback):
    """Makes Ctrl-C stop training between two steps; a second Ctrl-C does not wait.

    Within a step Python may lose it: an exception in a callback from C++ is only printed.
    """

    def __init__(self) -> None:
        self.wanted = False
        self.before: Any = None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if threading.current_thread() is threading.main_thread():  # no other may handle signals
            self.before = signal.signal(signal.SIGINT, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.wanted:
            signal.default_int_handler(number, frame)
        self.wanted = True

    def _stop_if_wanted(self, *_: Any, **__: Any) -> None:
        if self.wanted:
            raise KeyboardInterrupt

    on_train_batch_end = on_validation_batch_end = on_train_end = _stop_if_wanted

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        if self.before is not None:
            signal.signal(signal.SIGINT, self.before)


class _Patience(EarlyStopping):
    """Also stops a training that is resumed after it had stopped early."""

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        trainer.should_stop = trainer.should_stop or self.wait_count >= self.patience


def early_stopping(recipe: Recipe, folder: Path) -> list[L.Callback]:
    """Stop after ``patience`` epochs without a better joint accuracy on the validation pairs.

    The best epoch's weights are kept in ``folder`` as best.ckpt.
    """
    figure = "validation_joint_accuracy"
    return [
        _Patience(figure, mode="max", patience=recipe.patience),
        ModelCheckpoint(folder, filename="best", monitor=figure, mode="max", enable_version_counter=False),
    ]
