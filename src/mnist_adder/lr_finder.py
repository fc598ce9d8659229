"""Finding a learning rate by Leslie Smith's range test.

Fresh networks train for a moment while the rate climbs, and a rate is read off the curve of their loss.
Source: Smith 2015, Cyclical Learning Rates for Training Neural Networks, arXiv:1506.01186, section 3.3.
Lightning's finder takes the steepest fall, which suggests badly; docs/dev/log.md compares ways to read the
curve.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from mnist_adder import environment, models
from mnist_adder.data.images import DigitImages
from mnist_adder.data.loader import DeviceLoader
from mnist_adder.errors import ModelError
from mnist_adder.pen.images import load_images
from mnist_adder.training.config import TrainConfig
from mnist_adder.training.lit_module import AdderModule, make_optimizer, make_train_loader
from mnist_adder.types import Batch

LOWEST, HIGHEST, STEPS, REPEATS = 1e-5, 10.0, 200, 3  # the curve is the mean of REPEATS networks
RATES: list[float] = [LOWEST * (HIGHEST / LOWEST) ** (step / (STEPS - 1)) for step in range(STEPS)]
_DECADE = (STEPS - 1) / math.log10(HIGHEST / LOWEST)  # steps in which the rate grows tenfold
MEMORY = 0.3 * _DECADE  # steps over which the smoothing remembers
_REACH = round(0.15 * _DECADE)  # steps on either side from which a slope is taken
_FLAT = 0.1  # the fall ends at this fraction of its steepest slope
BEYOND = 1.25  # the suggestion is so many times the rate there
_DIVERGED = 4.0  # the test ends where the smoothed loss is this many times its lowest


@dataclass(frozen=True, kw_only=True)
class RangeTest:
    """What a range test saw; the three columns are equally long, in the order of the steps."""

    dataset: str
    learning_rates: tuple[float, ...]  # climbing, each a constant factor above the one before
    losses: tuple[float, ...]  # the digit's loss of each step, before its update: the mean of the repeats
    smoothed_losses: tuple[float, ...]
    suggestion: float  # for the recipe's learning_rate


def find_learning_rate(
    config: TrainConfig,
    *,
    notify: Callable[[str], None] = lambda _: None,
    progress: Callable[[int], None] = lambda _: None,
) -> RangeTest:
    """Raise the rate while fresh networks train as the recipe says, and read a rate off the digit's loss.

    They learn from both losses. The digit's is read, since all models have the same one and the sum's hardly
    moves in so few steps. Schedule and averaging are not used. Nothing is written.

    Args:
        config: which model, settings, seed and dataset; the first network has its seed, the others those
            after.
        notify: receives the sentence a user should see before it begins.
        progress: called after each step with how many of STEPS are done; a loss that diverges ends it early.

    Raises:
        ModelError: no such model, a setting that makes no sense, or a loss that does not fall.
        DataError: the dataset cannot be had.
    """
    environment.limit_threads()
    config.build_recipe()  # a mistake is told before anything is downloaded
    data, device = load_images(config.dataset, config.data_dir, notify), environment.best_device()
    notify(
        f"{config.model} on {data.dataset} ({data.origin}), seed {config.seed}, "
        f"{environment.describe_device(device)}."
    )
    losses: list[float] = []
    smoothed: list[float] = []
    # First weights come from torch's own generator, as dropout does: the caller's is put back afterwards.
    with torch.random.fork_rng([] if device.type == "cpu" else [0], device_type=device.type):
        learners = [Learner(replace(config, seed=config.seed + repeat), data) for repeat in range(REPEATS)]
        for done, rate in enumerate(RATES, start=1):
            loss = sum(learner.step(rate) for learner in learners) / REPEATS
            progress(done)
            if not math.isfinite(loss):
                break
            losses.append(loss)
            smoothed = smooth(losses, MEMORY)
            if smoothed[-1] > _DIVERGED * min(smoothed):
                break
    if not losses:
        raise ModelError(f"{config.model} has a loss that is not finite before it has learned anything.")
    return RangeTest(
        dataset=data.dataset,
        learning_rates=tuple(RATES[: len(losses)]),
        losses=tuple(losses),
        smoothed_losses=tuple(smoothed),
        suggestion=suggest(smoothed),
    )


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


def suggest(smoothed: Sequence[float]) -> float:
    """The rate at which the first fall of the smoothed losses, one for each of the first RATES, ends.

    And a quarter more. It ends at the first place after the steepest at which the slope of log(loss) over
    log(rate) is a tenth of the steepest. Unlike the lowest loss, that does not wander about on a flat floor.

    Raises:
        ModelError: the loss did not fall, or not slower and slower until the end.
    """
    spoken = f"between the rates {RATES[0]:.2g} and {RATES[len(smoothed) - 1]:.2g}"
    lowest = int(np.argmin(smoothed))
    if smoothed[lowest] > 0.9 * smoothed[0]:
        raise ModelError(
            f"No rate can be suggested: the loss did not fall {spoken}, from {smoothed[0]:.3g} at first to "
            f"{smoothed[lowest]:.3g} at best."
        )
    places = np.arange(len(smoothed))
    left, right = np.maximum(places - _REACH, 0), np.minimum(places + _REACH, places[-1])
    losses, rates = np.log(smoothed), np.log(RATES[: len(smoothed)])
    slopes = (losses[right] - losses[left]) / (rates[right] - rates[left])
    settled = min(round(MEMORY), lowest)  # before, a mean of few is steep by chance
    steepest = settled + int(np.argmin(slopes[settled : lowest + 1]))
    ends = np.flatnonzero(slopes[steepest:] > _FLAT * slopes[steepest])
    if not len(ends):
        raise ModelError(f"No rate can be suggested: the loss was still falling {spoken}.")
    return BEYOND * RATES[steepest + int(ends[0])]


class Learner:
    """A fresh network that takes steps as training does, each at the rate it is told.

    Everything random follows from the seed; torch's own generator is set to it, for the first weights.
    """

    def __init__(self, config: TrainConfig, data: DigitImages) -> None:
        torch.manual_seed(config.seed)
        recipe, self.device = config.build_recipe(len(data.train_digits)), environment.best_device()
        model = models.build(config.model, config.preset)
        self.module = AdderModule(model, recipe).to(self.device).train()
        self.optimizer = make_optimizer(model, recipe)
        self.batches = _endless(make_train_loader(data, recipe, seed=config.seed, device=self.device))
        self.rounds = (config.precision or environment.best_precision(self.device)) == "bf16-mixed"

    def step(self, rate: float) -> float:
        """Learn from the next batch at this rate; returns the digit's loss before, infinite if any is."""
        batch = next(self.batches)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.rounds):
            losses = self.module.learn_from(batch).losses
        loss = self.module.weighted(losses.digit, losses.sum)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return losses.digit.item() if math.isfinite(loss.item()) else math.inf


def _endless(batches: DeviceLoader) -> Iterator[Batch]:
    """One epoch after another."""
    for epoch in itertools.count():
        batches.set_epoch(epoch)
        yield from batches
