"""The training step in Lightning's terms: how a model learns from a batch, and what an epoch logs."""

from __future__ import annotations

import dataclasses
import time
from typing import Any, NamedTuple, TypeVar

import lightning as L
import torch
import torch.nn.functional as F
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import ConstantLR, LRScheduler, OneCycleLR

from mnist_adder.data.augment import Augment
from mnist_adder.data.dataset import MNISTAdder
from mnist_adder.data.images import DigitImages
from mnist_adder.data.loader import DeviceLoader
from mnist_adder.evaluation.metrics import (
    LOGGED,
    PairPredictions,
    compute_metrics,
    concatenate,
    predict_pairs,
)
from mnist_adder.models import Adder, Recipe
from mnist_adder.training.muon import Muon
from mnist_adder.types import NO_DIGIT, NUMBERS, Batch, Losses, Outputs

_Loss = TypeVar("_Loss", float, Tensor)


class Step(NamedTuple):
    """What a model makes of a batch: outputs and losses for the pairs whose image shows a digit."""

    outputs: Outputs
    losses: Losses
    outlier: Tensor | None  # a scalar, the loss of telling digits from what is none; None: all are digits
    batch: Batch  # these pairs


class AdderModule(L.LightningModule):
    """A model in training; nothing here waits for the device within an epoch.

    The encoder runs in the Trainer's precision. From :meth:`Adder.combine` on it is float32: heads are cheap,
    and bfloat16 would round the sums.
    """

    def __init__(self, model: Adder, recipe: Recipe, *, has_outliers: bool = False) -> None:
        super().__init__()
        self.model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.recipe = recipe
        self.has_outliers = has_outliers  # whether some images show no digit
        self.totals: Tensor | None = None  # (5,) of LOGGED over the epoch's pairs so far
        self.pairs = 0
        self.epoch_started = 0.0
        self.learning_rate = 0.0  # of the latest step
        self.validated: list[tuple[PairPredictions, Tensor]] = []  # with the true digits

    def on_train_epoch_start(self) -> None:
        """Draw the epoch's numbers, order and augmentation."""
        self.epoch_started = time.perf_counter()
        assert isinstance(self.trainer.train_dataloader, DeviceLoader)
        self.trainer.train_dataloader.set_epoch(self.current_epoch)

    def training_step(self, batch: Batch) -> Tensor:
        """One step's loss, a scalar: the losses joined by the recipe's weights."""
        self.learning_rate = self.trainer.optimizers[0].param_groups[0]["lr"]
        outputs, losses, outlier, batch = self.learn_from(batch)
        self._count(outputs, losses, batch)
        loss = self.weighted(losses.digit, losses.sum)
        return loss if outlier is None else loss + self.recipe.outlier_weight * outlier

    def learn_from(self, batch: Batch) -> Step:
        """The outputs and losses of a step. Autocast is up to the caller."""
        features = self.model.encode(batch.images)
        features, batch = with_more_numbers(features, batch, self.recipe.numbers_per_image)
        with torch.autocast(features.device.type, enabled=False):
            outputs = self.model.combine(features.float(), batch.numbers)
            outlier = None
            if self.has_outliers:
                outlier, outputs, batch = split_off_outliers(outputs, batch)
            losses = self.model.losses(outputs, batch.digits, batch.sums)
            if self.recipe.label_smoothing:
                even = -outputs.digit_logits.log_softmax(1).mean()  # the loss of targets that are all alike
                losses = losses._replace(digit=torch.lerp(losses.digit, even, self.recipe.label_smoothing))
        return Step(outputs, losses, outlier, batch)

    def weighted(self, digit: _Loss, sum_: _Loss) -> _Loss:
        """The two losses joined by the recipe's weights."""
        return self.recipe.digit_weight * digit + self.recipe.sum_weight * sum_

    def validation_step(self, batch: Batch) -> None:
        """Predict the batch's images with all ten numbers; the batch's own numbers are not used."""
        self.validated.append((predict_pairs(self.model, batch.images, batch.digits), batch.digits))

    def on_validation_epoch_end(self) -> None:
        """Log the epoch: validation comes last, so the training figures are complete as well."""
        predictions, digits = zip(*self.validated, strict=True)
        self.validated.clear()
        metrics = compute_metrics(concatenate(list(predictions)), torch.cat(digits))
        self._log_epoch({name: getattr(metrics, name) for name in LOGGED})

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Where nothing is held out for validation, the epoch is logged after its last step."""
        if self.trainer.is_last_batch and not self.trainer.enable_validation:
            self._log_epoch(None)

    def _log_epoch(self, validation: dict[str, float] | None) -> None:
        assert self.totals is not None
        totals = torch.cat([self.totals, self.totals.new_tensor([self.pairs])])
        totals = self.trainer.strategy.reduce(totals, reduce_op="sum")
        figures = self._named("train_", dict(zip(LOGGED, (totals[:-1] / totals[-1]).tolist(), strict=True)))
        if validation is not None:
            figures |= self._named("validation_", validation)
        figures["learning_rate"] = self.learning_rate
        figures["seconds"] = time.perf_counter() - self.epoch_started
        self.log_dict(figures, on_step=False, on_epoch=True, batch_size=1)
        self.totals, self.pairs = None, 0

    def _named(self, prefix: str, figures: dict[str, float]) -> dict[str, float]:
        """The figures of LOGGED with names that begin with the prefix, and the joined loss before them."""
        figures = {"loss": self.weighted(figures["digit_loss"], figures["sum_loss"]), **figures}
        return {prefix + name: value for name, value in figures.items()}

    def figures_so_far(self) -> dict[str, float]:
        """The epoch's training figures up to now: loss and accuracies, fractions. Waits for the device."""
        if self.totals is None:
            return {}
        return self._named("", dict(zip(LOGGED, (self.totals / self.pairs).tolist(), strict=True)))

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """The recipe's optimizer, and its schedule stepped every batch."""
        optimizer = make_optimizer(self.model, self.recipe)
        schedule = make_schedule(optimizer, self.recipe, int(self.trainer.estimated_stepping_batches))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    @torch.no_grad()
    def _count(self, outputs: Outputs, losses: Losses, batch: Batch) -> None:
        digit_right = outputs.digit_logits.argmax(1) == batch.digits
        sum_right = self.model.sum_probabilities(outputs).argmax(1) == batch.sums
        counts = torch.stack([digit_right, sum_right, digit_right & sum_right]).sum(1)
        totals = torch.cat([torch.stack([losses.digit, losses.sum]) * len(batch.digits), counts])
        self.totals = totals if self.totals is None else self.totals + totals
        self.pairs += len(batch.digits)


def with_more_numbers(features: Tensor, batch: Batch, count: int) -> tuple[Tensor, Batch]:
    """Pair each image with ``count`` (1..10) different numbers: its own and those that follow, 0 after 9.

    Encoding an image is expensive and combining it cheap, so a head that learns to add sees many more pairs
    for little. From features (B, F) and B pairs to (B count, F) and as many; the images stay (B, 1, 28, 28).
    """
    if count == 1:
        return features, batch
    steps = torch.arange(count, device=batch.numbers.device)
    numbers = ((batch.numbers.unsqueeze(1) + steps) % NUMBERS).flatten()
    digits = batch.digits.repeat_interleave(count)
    return features.repeat_interleave(count, 0), Batch(batch.images, numbers, digits, digits + numbers)


def split_off_outliers(outputs: Outputs, batch: Batch) -> tuple[Tensor, Outputs, Batch]:
    """The loss of telling digits from other characters, a scalar, and the digits' outputs and pairs.

    "No digit" is an eleventh class whose logit is fixed at 0, so it needs no weights: the images of no digit
    push all ten logits down. See :meth:`Adder.is_digit_probability`. How many digits there are has to be
    known, so this waits for the device. The images stay as they are.
    """
    is_digit = batch.digits != NO_DIGIT
    loss = F.binary_cross_entropy_with_logits(outputs.digit_logits.logsumexp(1), is_digit.float())
    digits, numbers, sums = batch.digits[is_digit], batch.numbers[is_digit], batch.sums[is_digit]
    chosen = Outputs(outputs.digit_logits[is_digit], outputs.sum_scores[is_digit])
    return loss, chosen, Batch(batch.images, numbers, digits, sums)


def make_train_loader(
    data: DigitImages, recipe: Recipe, *, seed: int, device: torch.device, rank: int = 0, world_size: int = 1
) -> DeviceLoader:
    """A process's share of the training batches, on the device, augmented as the recipe says.

    Only full batches, which leaves some images out of each epoch, unless there are fewer than one.
    """
    dataset = MNISTAdder(split=recipe.train_on, data=data, seed=seed).to(device)
    # Settings of augmentation have the same names in the recipe.
    augment = Augment(**{field.name: getattr(recipe, field.name) for field in dataclasses.fields(Augment)})
    return DeviceLoader(
        dataset,
        recipe.batch_size // world_size,
        shuffle=True,
        drop_last=len(dataset) >= recipe.batch_size,
        augment=augment,
        rank=rank,
        world_size=world_size,
    )


def make_optimizer(model: Adder, recipe: Recipe) -> Optimizer:
    """The recipe's optimizer; weight decay leaves biases and normalisation alone."""
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() <= 1]
    groups: list[dict[str, Any]] = [
        {"params": matrices, "weight_decay": recipe.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    if recipe.optimizer == "sgd":
        nesterov = recipe.momentum > 0
        return SGD(groups, lr=recipe.learning_rate, momentum=recipe.momentum, nesterov=nesterov, fused=True)
    if recipe.optimizer == "muon":
        return Muon(groups, lr=recipe.learning_rate, momentum=recipe.momentum)
    return AdamW(groups, lr=recipe.learning_rate, betas=(recipe.momentum, 0.99), fused=True)


def make_schedule(optimizer: Optimizer, recipe: Recipe, steps: int) -> LRScheduler:
    """The learning rate over ``steps`` steps."""
    if recipe.schedule == "constant":
        return ConstantLR(optimizer, factor=1.0)
    return OneCycleLR(
        optimizer,
        recipe.learning_rate,
        total_steps=max(steps, 2),
        pct_start=recipe.warmup_fraction,
        cycle_momentum=False,
        final_div_factor=1e3,
    )
