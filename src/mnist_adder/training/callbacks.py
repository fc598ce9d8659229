"""What happens beside the steps: averaging the weights, writing metrics, stopping.

Lightning calls the hooks of these callbacks.
"""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import lightning as L
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint, WeightAveraging
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn, get_swa_avg_fn

from mnist_adder.errors import DivergedError
from mnist_adder.models import Adder, Recipe
from mnist_adder.runs import Run
from mnist_adder.training.lit_module import AdderModule

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

TENSORBOARD = "tensorboard"
"""The folder of a run that holds TensorBoard's event files."""
DIVERGED = 1e4
"""A mean training loss, of digits or sums, above this has diverged: guessing gives 100 at most."""


class Averaging(WeightAveraging):
    """Averages the weights over the steps, exponentially (ema) or evenly over the last part (swa).

    The EMA's decay is warmed up, as if the average were over no more than the steps so far: otherwise a short
    training would end with an average of its start. The learning rate is left alone. Validation sees the
    average, and training ends with it; batch normalisation's statistics are averaged too.
    """

    def __init__(self, recipe: Recipe) -> None:
        ema = recipe.weight_averaging == "ema"
        if ema:
            super().__init__(multi_avg_fn=self._ema)
        else:
            super().__init__(avg_fn=get_swa_avg_fn())  # the multi-tensor one fails on whole-number buffers
        self.decay = recipe.ema_decay
        self.step = 0
        self.start = 0.0 if ema else recipe.swa_start
        self.start_step = 0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.start_step = int(self.start * trainer.estimated_stepping_batches)

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        if step_idx is None or step_idx < self.start_step:
            return False
        self.step = step_idx
        return True

    def _ema(self, averages: Any, weights: Any, count: Tensor | int) -> None:
        """The count of averages is a tensor on the device; reading it would wait for the device."""
        decay = min(self.decay, (1 + self.step) / (10 + self.step))
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
    """Refuse losses that diverged.

    Args:
        figures: an epoch's, by their names in metrics.csv. Validation losses need only be finite: they are
            high in short trainings, while batch normalisation has seen few images.

    Raises:
        DivergedError: one is not finite, or a training loss is too high.
    """
    for name, loss in figures.items():
        limit = DIVERGED if name in ("train_digit_loss", "train_sum_loss") else math.inf
        if name.endswith("loss") and not abs(loss) < limit:
            raise DivergedError(f"its {name} is {loss:.3g}")


def check_weights(model: Adder) -> None:
    """Refuse weights, or statistics of batch normalisation, that are not finite.

    Raises:
        DivergedError: some are not.
    """
    for name, values in model.state_dict().items():
        if not bool(values.isfinite().all()):
            raise DivergedError(f"its weights {name} hold values that are not finite numbers")


class MetricsLogger(L.Callback):
    """Writes every epoch's figures to metrics.csv, a row an epoch, and for TensorBoard."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.rows: list[dict[str, float]] = []
        self.curves: SummaryWriter | None = None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.is_global_zero:
            from torch.utils.tensorboard import SummaryWriter

            # Points of a stopped run after its last whole epoch are purged.
            after = len(self.rows)
            with _silent_threads():
                self.curves = SummaryWriter(
                    self.run.folder / TENSORBOARD, purge_step=after + 1 if after else None
                )

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        figures = {name: round(float(value), 6) for name, value in trainer.callback_metrics.items()}
        epoch = trainer.current_epoch + 1
        self.rows.append({"epoch": epoch, **figures})
        if trainer.is_global_zero:
            self.run.save_metrics(self.rows)
        if self.curves is not None:
            with _silent_threads():
                for name, value in figures.items():
                    self.curves.add_scalar(_tag(name), value, epoch)
                self.curves.flush()

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self.curves is not None:
            with _silent_threads():
                self.curves.close()

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = state_dict["rows"]


@contextmanager
def _silent_threads() -> Iterator[None]:
    """TensorBoard's thread passes its errors on to flush(), which raises them, but prints them as well."""
    before, threading.excepthook = threading.excepthook, lambda _: None
    try:
        yield
    finally:
        threading.excepthook = before


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

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._stop_if_wanted()

    def on_validation_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        self._stop_if_wanted()

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._stop_if_wanted()

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        if self.before is not None:
            signal.signal(signal.SIGINT, self.before)
            self.before = None

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.wanted:
            signal.default_int_handler(number, frame)
        self.wanted = True

    def _stop_if_wanted(self) -> None:
        if self.wanted:
            raise KeyboardInterrupt


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
