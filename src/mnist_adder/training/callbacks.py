"""What happens beside the steps: the weights' average, the rows of metrics.csv.

Lightning calls the hooks; the recorder writes into the run, averaging changes the weights in the end.
"""

from __future__ import annotations

from typing import Any

import lightning as L
from lightning.pytorch.callbacks import WeightAveraging
from torch.optim.swa_utils import get_ema_multi_avg_fn, get_swa_avg_fn

from mnist_adder.designs import Recipe
from mnist_adder.runs import Run


class Averaging(WeightAveraging):
    """Averages the weights over the steps, exponentially (ema) or evenly over the last part (swa).

    It leaves the learning rate alone. Validation sees the average, and it is what training ends with;
    batch normalisation's statistics are averaged with the weights.
    """

    def __init__(self, recipe: Recipe) -> None:
        ema = recipe.average == "ema"
        if ema:
            super().__init__(multi_avg_fn=get_ema_multi_avg_fn(recipe.average_decay))
        else:
            super().__init__(avg_fn=get_swa_avg_fn())  # the multi-tensor one fails on whole-number buffers
        self.start = 0.0 if ema else recipe.average_start
        self.start_step = 0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.start_step = int(self.start * trainer.estimated_stepping_batches)

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        return step_idx is not None and step_idx >= self.start_step

    def _swap_models(self, pl_module: L.LightningModule) -> None:
        if self._latest_update_step > 0:  # before, the average is the network as it was at the start
            super()._swap_models(pl_module)


class Recorder(L.Callback):
    """Writes metrics.csv after every epoch: one row an epoch, whatever the module logged."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.rows: list[dict[str, float]] = []

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        figures = {name: round(float(value), 6) for name, value in trainer.callback_metrics.items()}
        self.rows.append({"epoch": trainer.current_epoch + 1, **figures})
        if trainer.is_global_zero:
            self.run.save_metrics(self.rows)

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = state_dict["rows"]
