"""Finding a learning rate by Leslie Smith's range test.

Fresh networks train for a moment while the rate climbs, and a rate is read off the curve of their loss.
Source: Smith 2015, Cyclical Learning Rates for Training Neural Networks, arXiv:1506.01186, section 3.3.
Lightning's finder takes the steepest fall, which suggests badly; docs/find-lr.md compares ways to read the
curve.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import torch

from mnist_adder import environment, models
from mnist_adder.data import DeviceLoader, DigitImages, load_images
from mnist_adder.errors import ModelError
from mnist_adder.models import Recipe
from mnist_adder.safe_io import write_text
from mnist_adder.training.config import TrainConfig
from mnist_adder.training.lit_module import AdderModule, make_optimizer, make_train_loader
from mnist_adder.types import Batch

LOWEST, HIGHEST, STEPS, REPEATS = 1e-5, 10.0, 200, 3
"""The rates tried, in how many steps, by how many networks side by side: the curve is their mean."""

MEMORY, REACH = 0.3, 0.15
"""Decades of the rate over which the smoothing remembers, and from which on either side a slope is taken."""

FLAT, BEYOND = 0.1, 1.25
"""The fall ends at this fraction of its steepest slope; the suggestion is so many times the rate there."""

DIVERGED = 4.0
"""The test ends where the smoothed loss is this many times its lowest."""


@dataclass(frozen=True, kw_only=True)
class RangeTest:
    """What a range test saw; the three columns are equally long, in the order of the steps."""

    model: str
    dataset: str
    seed: int
    learning_rates: tuple[float, ...]  # climbing, each a constant factor above the one before
    losses: tuple[float, ...]  # the digit's loss of each step, before its update: the mean of the repeats
    smoothed_losses: tuple[float, ...]
    suggestion: float  # for the recipe's learning_rate

    def save(self, path: Path) -> None:
        """Write the curve as CSV, whole or not at all: learning_rate, loss, smoothed_loss.

        Raises:
            OSError: the folder is missing, read-only or full.
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("learning_rate", "loss", "smoothed_loss"))
        rows = zip(self.learning_rates, self.losses, self.smoothed_losses, strict=True)
        writer.writerows([f"{value:.6g}" for value in row] for row in rows)
        write_text(path, text.getvalue())


def find_learning_rate(
    config: TrainConfig,
    *,
    lowest: float = LOWEST,
    highest: float = HIGHEST,
    steps: int = STEPS,
    notify: Callable[[str], None] = lambda _: None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> RangeTest:
    """Raise the rate while fresh networks train as the recipe says, and read a rate off the digit's loss.

    They learn from both losses. The digit's is read, since all models have the same one and the sum's hardly
    moves in so few steps. Schedule and averaging are not used. Nothing is written.

    Args:
        config: which model, settings, seed and dataset; the first network has its seed, the others those
            after.
        lowest: the rate of the first step.
        highest: the rate of the last step, unless the loss diverges before.
        steps: how many rates are tried, at least 30 and 10 a decade.
        notify: receives the sentence a user should see before it begins.
        progress: called after each step with (steps done, all steps); a loss that diverges ends it early.

    Returns:
        The curve and the suggestion.

    Raises:
        ModelError: no such model, a setting or range that makes no sense, or a loss that does not fall.
        DataError: the dataset cannot be had.
    """
    config.build_recipe()  # a mistake is told before anything is downloaded
    rates = climbing(lowest, highest, steps)
    data = load_images(config.dataset, config.data_dir, notify)
    recipe, model, seed = config.build_recipe(len(data.train_digits)), config.model, config.seed
    device = environment.best_device()
    notify(f"{model} on {data.dataset} ({data.origin}), seed {seed}, {environment.describe_device(device)}.")
    # First weights come from torch's own generator, as dropout does: the caller's is put back afterwards.
    with torch.random.fork_rng([] if device.type == "cpu" else [0], device_type=device.type):
        learners = [Learner(model, recipe, data, seed + repeat, device) for repeat in range(REPEATS)]
        losses: list[float] = []
        smoothed: list[float] = []
        for done, rate in enumerate(rates, start=1):
            loss = sum(learner.step(rate) for learner in learners) / len(learners)
            progress(done, steps)
            if not math.isfinite(loss):
                break
            losses.append(loss)
            smoothed = smooth(losses, MEMORY * _steps_a_decade(rates))
            if smoothed[-1] > DIVERGED * min(smoothed):
                break
    if not losses:
        raise ModelError(f"{model} has a loss that is no finite number before it has learned anything.")
    rates = rates[: len(losses)]
    return RangeTest(
        model=model,
        dataset=data.dataset,
        seed=seed,
        learning_rates=tuple(rates),
        losses=tuple(losses),
        smoothed_losses=tuple(smoothed),
        suggestion=suggest(rates, smoothed),
    )


def climbing(lowest: float, highest: float, steps: int) -> list[float]:
    """``steps`` rates from ``lowest`` to ``highest``, each the same factor above the one before.

    Raises:
        ModelError: rates that are not 0 < lowest < highest, or fewer than 30 steps or 10 a decade.
    """
    if not 0 < lowest < highest < math.inf:
        raise ModelError(
            f"The rates go from {lowest:g} to {highest:g}: the lowest must be above 0 and below the highest."
        )
    least = max(30, math.ceil(10 * math.log10(highest / lowest)))
    if steps < least:
        raise ModelError(f"{steps} steps from {lowest:g} to {highest:g} show no curve: take {least} or more.")
    return [lowest * (highest / lowest) ** (step / (steps - 1)) for step in range(steps)]


def smooth(losses: Sequence[float], memory: float) -> list[float]:
    """The exponential moving average of the losses so far, over some ``memory`` (> 1) steps.

    Without its bias towards 0 at the start, as in Kingma and Ba 2014, arXiv:1412.6980, section 3.
    """
    decay = 1 - 1 / memory
    smoothed, average = [], 0.0
    for step, loss in enumerate(losses, start=1):
        average = decay * average + (1 - decay) * loss
        smoothed.append(average / (1 - decay**step))
    return smoothed


def suggest(rates: Sequence[float], smoothed: Sequence[float]) -> float:
    """The rate at which the loss's first fall ends, and a quarter more.

    It ends at the first place after the steepest at which the slope of log(loss) over log(rate) is a tenth of
    the steepest. Unlike the lowest loss, that place does not wander about on a flat floor.

    Args:
        rates: climbing by a constant factor.
        smoothed: the smoothed loss at each of them, above 0.

    Raises:
        ModelError: the loss did not fall, or not slower and slower until the end.
    """
    spoken = f"between the rates {rates[0]:.2g} and {rates[-1]:.2g}"
    lowest = min(range(len(smoothed)), key=smoothed.__getitem__)
    if smoothed[lowest] > 0.9 * smoothed[0]:
        raise ModelError(
            f"The loss did not fall {spoken}: {smoothed[0]:.3g} first, {smoothed[lowest]:.3g} at best. "
            "If it stayed there, go to a higher rate; if it only rose, begin with a lower one."
        )
    slopes = _slopes(rates, smoothed)
    settled = min(round(MEMORY * _steps_a_decade(rates)), lowest)  # before, a mean of few is steep by chance
    steepest = min(range(settled, lowest + 1), key=slopes.__getitem__)
    for place in range(steepest, len(rates)):
        if slopes[place] > FLAT * slopes[steepest]:
            return BEYOND * rates[place]
    raise ModelError(f"The loss was still falling {spoken}: go to a higher one, to see where that ends.")


def _slopes(rates: Sequence[float], smoothed: Sequence[float]) -> list[float]:
    """Of log(loss) over log(rate) at each rate; at the ends the reach is what there is."""
    reach, last = max(round(REACH * _steps_a_decade(rates)), 1), len(rates) - 1
    slopes = []
    for place in range(len(rates)):
        left, right = max(place - reach, 0), min(place + reach, last)
        slopes.append(math.log(smoothed[right] / smoothed[left]) / math.log(rates[right] / rates[left]))
    return slopes


def _steps_a_decade(rates: Sequence[float]) -> float:
    return 1 / math.log10(rates[1] / rates[0])


class Learner:
    """A fresh network that takes steps as training does, each at the rate it is told.

    Everything random follows from the seed; torch's own generator is set to it, for the first weights.
    """

    def __init__(
        self, model: str, recipe: Recipe, data: DigitImages, seed: int, device: torch.device
    ) -> None:
        torch.manual_seed(seed)
        self.module = AdderModule(models.get(model)(), recipe).to(device).train()
        self.optimizer = make_optimizer(self.module.model, recipe)
        self.batches = _endless(make_train_loader(data, recipe, seed=seed, device=device))
        self.device = device
        self.rounds = environment.best_precision(device) == "bf16-mixed"

    def step(self, rate: float) -> float:
        """Learn from the next batch at this rate; returns the digit's loss before, infinite if any is."""
        batch = next(self.batches)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.rounds):
            _, losses, _ = self.module.learn_from(batch)
        loss = self.module.weighted(losses.digit, losses.sum)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return losses.digit.item() if math.isfinite(loss.item()) else math.inf


def _endless(batches: DeviceLoader) -> Iterator[Batch]:
    """One epoch after another."""
    for epoch in count():
        batches.set_epoch(epoch)
        yield from batches
