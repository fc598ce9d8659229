"""What training prints: a bar with figures during an epoch, a line after it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import lightning as L
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from mnist_adder.training.lit_module import AdderModule

HEADER = (
    "         train                          validation\n"
    "epoch       loss  digit    sum  joint     loss  digit    sum  joint  seconds"
)


class Progress(L.Callback):
    """Prints each epoch's figures, accuracies in percent, and on a terminal a bar below them."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.bar: Bar | None = None
        self.drawn = 0.0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not trainer.is_global_zero:
            self.console.quiet = True  # of several processes one prints
        self.console.print(HEADER, highlight=False)
        if self.console.quiet or not self.console.is_terminal:
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"),
        )
        self.bar = Bar(*columns, console=self.console, transient=True, auto_refresh=False)
        self.bar.start()
        self.task = self.bar.add_task("", total=None, figures="")

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self.bar is not None:
            label = f"epoch {trainer.current_epoch + 1}"
            self.bar.reset(self.task, total=int(trainer.num_training_batches), description=label, figures="")

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        now = time.perf_counter()
        if self.bar is not None and now - self.drawn > 0.1:
            assert isinstance(pl_module, AdderModule)
            figures = _in_short(pl_module.figures_so_far())
            self.bar.update(self.task, completed=batch_idx + 1, figures=figures, refresh=True)
            self.drawn = now

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        figures = {name: float(value) for name, value in trainer.callback_metrics.items()}
        line = epoch_line({"epoch": trainer.current_epoch + 1, **figures}, int(trainer.max_epochs or 0))
        self.console.print(line, highlight=False)

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None


def _in_short(figures: Mapping[str, float]) -> str:
    """The figures of the epoch so far, for the bar."""
    if not figures:
        return ""
    accuracies = (f"{name} {100 * figures[f'{name}_accuracy']:.2f}" for name in ("digit", "sum", "joint"))
    return f"loss {figures['loss']:.4f}  " + "  ".join(accuracies)


def epoch_line(row: Mapping[str, float], epochs: int) -> str:
    """One epoch's figures, a row of metrics.csv, below HEADER; accuracies in percent."""
    line = f"{row['epoch']:>3.0f}/{epochs:<3}"
    for part in ("train", "validation"):
        if f"{part}_loss" not in row:  # nothing was held out
            line += " " * 30
            continue
        accuracies = (100 * row[f"{part}_{name}_accuracy"] for name in ("digit", "sum", "joint"))
        line += f"  {row[f'{part}_loss']:7.4f}" + "".join(f" {value:6.2f}" for value in accuracies)
    return f"{line}  {row['seconds']:7.1f}"
