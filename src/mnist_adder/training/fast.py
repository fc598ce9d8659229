"""The lean loop of ``train --preset fast``: 99 % in a second or so of a processor, without Lightning.

The training images come in, as the bytes of MNIST's files or as a data; a trained ``exact-sum`` goes out.
Next: ``finish``. ``benchmarks/fast.py`` takes its time.

What makes it quick, most of it first:

- All layers are products of matrices, convolutions too (see ``unrolled``), in bfloat16 where the processor
  has a matrix unit for it. The model's float32 weights remember what that would round away.
- Updates are orthogonalised (see ``muon``), so that 105 steps, on nine tenths of the images, are enough.
- Two threads learn from half of a batch each. Torch's own threads do not help, as they split every operation,
  and these are too small.
- Training begins while the rest of the file is still being unpacked.
- There is no Python for an image, no optimizer or schedule object, and of the loss only its gradient.

The weights depend on the seed and the images alone: not on the number of threads, nor on which is quicker.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor, nn

from mnist_adder.data import DigitImages, MNISTAdder
from mnist_adder.data.images import VALIDATION_SIZES, split_validation
from mnist_adder.errors import DataError, DivergedError, ModelError
from mnist_adder.evaluation.evaluate import evaluate
from mnist_adder.models import Recipe
from mnist_adder.models.exact_sum import ExactSum
from mnist_adder.models.presets import PRESETS
from mnist_adder.runs import Run
from mnist_adder.training.callbacks import check_weights
from mnist_adder.training.lit_module import TRAIN_FIGURES
from mnist_adder.training.muon import orthogonalise
from mnist_adder.training.stream import Images, batches
from mnist_adder.training.train import complete_run, what_to_do
from mnist_adder.training.unrolled import learners, precision, spreads
from mnist_adder.types import DIGITS

_First = TypeVar("_First")
_Second = TypeVar("_Second")
_Gradients = Sequence[Tensor]
_Batch = tuple[Tensor, Tensor]  # windows and digits
_FIRST_SHARE, _SECOND_SHARE = (0, 2, 3), (1,)  # of the weights; who has the second prepares a batch as well


RECIPE = PRESETS["fast"].recipe
_FOLLOWED = {"batch_size", "learning_rate", "momentum", "warmup_fraction", "label_smoothing", "train_on"}
_HEAD_RATE = 0.25  # the last layer's learning rate, relative to the others'
ORTHOGONAL_STEPS = 3
SHARE = 0.9
"""Of the images, that are learnt from. The last tenth would cost a tenth of the time for 0.07 points."""


def train_fast(
    images: Images,
    *,
    seed: int,
    kept: Tensor | None = None,
    threads: int = 2,
    recipe: Recipe = RECIPE,
) -> ExactSum:
    """Train the network ``fast`` of ``exact-sum`` on most of the images, each once.

    Args:
        images: to learn from.
        seed: of the initial weights and the images' order.
        kept: (K,) int64, rising: the images to choose from; all of them without it.
        threads: 1 or 2; the weights are the same.
        recipe: whose batch size (even), rate, momentum, warm-up and smoothing are followed.

    Returns:
        The model, in evaluation mode.

    Raises:
        DataError: the images' file is not what it should be, or there are too few images for a step.
    """
    count = len(images.digits if kept is None else kept)
    steps = steps_of(count, recipe.batch_size)
    if steps < 1:
        raise DataError(f"{count} training images are too few for one step of {recipe.batch_size}.")
    torch_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]), ThreadPoolExecutor(1) as helper:
            torch.manual_seed(seed)
            model = ExactSum("fast")
            given = batches(images, kept, recipe.batch_size, seed, precision())
            _Loop(model, given, recipe, helper if threads > 1 else None).run(steps)
    finally:
        torch.set_num_threads(torch_threads)
    return model.eval()


def steps_of(images: int, batch_size: int) -> int:
    """How many steps a training on so many images takes."""
    return int(SHARE * images) // batch_size


def fit_fast(run: Run, data: DigitImages) -> Run:
    """Train as the run's config says, evaluate, and complete the run; it is never stopped half-way.

    metrics.csv has one row, of the trained network: on the training pairs, and the validation pairs if they
    were held out.

    Raises:
        DivergedError: the weights are no finite numbers.
    """
    recipe, kept = run.config.recipe, None
    if recipe.train_on == "train":
        kept, _ = split_validation(data.train_digits, VALIDATION_SIZES[data.dataset])
    images = Images(data.train_images.view(-1, 28, 28), data.train_digits.long())
    started = time.perf_counter()
    model = train_fast(images, seed=run.config.seed, kept=kept, threads=run.config.threads, recipe=recipe)
    seconds = time.perf_counter() - started
    try:
        check_weights(model)
    except DivergedError as error:
        raise DivergedError(f"The preset fast diverged: {error}. {what_to_do(run.config)}") from None
    figures = {"epoch": 1.0}
    datasets = {"train": MNISTAdder(split=recipe.train_on, data=data)}
    if recipe.train_on == "train":
        datasets["validation"] = MNISTAdder(split="validation", data=data)
    for part, dataset in datasets.items():
        metrics = evaluate(model, dataset)
        loss = recipe.digit_weight * metrics.digit_loss + recipe.sum_weight * metrics.sum_loss
        figures[f"{part}_loss"] = loss
        figures |= {f"{part}_{name}": getattr(metrics, name) for name in TRAIN_FIGURES}
    run.save_metrics([{**figures, "learning_rate": 0.0, "seconds": seconds}])
    complete_run(run, model, data, train_seconds=seconds, best_epoch=1)
    return run


def check_fast(recipe: Recipe) -> None:
    """Refuse settings that the lean loop would not follow.

    Raises:
        ModelError: one of them is not the preset's own.
    """
    for field in fields(recipe):
        if field.name not in _FOLLOWED and getattr(recipe, field.name) != getattr(RECIPE, field.name):
            raise ModelError(
                f"The preset fast has a lean loop of its own, in which {field.name} cannot be changed. "
                f"It follows {', '.join(sorted(_FOLLOWED))}."
            )
    if recipe.batch_size % 2:
        raise ModelError(f"The preset fast splits batches in two: {recipe.batch_size} is odd.")


class _Loop:
    """Two phases a step, each on two threads: gradients of two halves; then updates, and the next batch."""

    def __init__(
        self,
        model: ExactSum,
        given: Iterator[_Batch],
        recipe: Recipe,
        helper: ThreadPoolExecutor | None,
    ) -> None:
        self.model, self.given, self.recipe, self.helper = model, given, recipe, helper
        self.one, self.other = learners()
        self.parameters = list(self.one.parameters())
        rate = recipe.learning_rate
        self.weights = [
            _Weight(*of_one, recipe)
            for of_one in zip(
                model.parameters(),
                self.parameters,
                (*spreads(), None, None),
                (rate, rate, rate, rate * _HEAD_RATE),
                strict=True,
            )
        ]
        self.targets = torch.eye(DIGITS) * (1 - recipe.label_smoothing) + recipe.label_smoothing / DIGITS

    def run(self, steps: int) -> None:
        """Train for so many steps, and leave what was learnt in the model."""
        batch = self._next()
        for step in range(steps):
            done = (step + 0.5) / steps
            scale = min(done / self.recipe.warmup_fraction, (1 - done) / (1 - self.recipe.warmup_fraction))
            (one, other), (ones_digits, others_digits) = (part.chunk(2) for part in batch)
            gradients = self._both(
                partial(self._gradients, self.one, one, ones_digits),
                partial(self._gradients, self.other, other, others_digits),
            )
            _, batch = self._both(
                partial(self._update, _FIRST_SHARE, gradients, scale),
                partial(self._update_and_prepare, _SECOND_SHARE, gradients, scale),
            )
        for kept, left, right in zip(
            self.model.buffers(), self.one.buffers(), self.other.buffers(), strict=True
        ):
            kept.copy_((left + right) / 2)  # what normalisation saw

    def _both(self, first: Callable[[], _First], second: Callable[[], _Second]) -> tuple[_First, _Second]:
        """Do two things at once, the second on the helper's thread; without one, in turn."""
        if self.helper is None:
            return first(), second()
        waiting = self.helper.submit(second)
        return first(), waiting.result()

    def _gradients(self, learner: nn.Module, images: Tensor, digits: Tensor) -> _Gradients:
        """The weights' gradients. The logits' one, under cross-entropy, is probability minus target."""
        logits = learner(images)
        wanted = self.targets.index_select(0, digits)
        slope = logits.detach().float().softmax(1).sub_(wanted).mul_(1 / self.recipe.batch_size)
        return torch.autograd.grad(logits, self.parameters, slope.to(logits.dtype))

    def _update(self, places: Sequence[int], gradients: tuple[_Gradients, _Gradients], scale: float) -> None:
        for place in places:
            self.weights[place].update(gradients[0][place], gradients[1][place], scale)

    def _update_and_prepare(
        self, places: Sequence[int], gradients: tuple[_Gradients, _Gradients], scale: float
    ) -> _Batch:
        self._update(places, gradients, scale)
        return self._next()

    def _next(self) -> _Batch:
        """The next batch, or after the last one nothing."""
        return next(self.given, (torch.empty(0), torch.empty(0)))


class _Weight:
    """One weight of the model as a matrix, a row an output, in float32; and what learns for it."""

    def __init__(
        self, weight: Tensor, learner: Tensor, spread: Tensor | None, rate: float, recipe: Recipe
    ) -> None:
        self.memory, self.learner, self.spread = weight.detach().flatten(1), learner.detach(), spread
        self.velocity = torch.zeros_like(self.memory)
        self.rate, self.recipe = rate, recipe
        self._teach()

    def update(self, one: Tensor, other: Tensor, scale: float) -> None:
        """Take Muon's step with the sum of two gradients. No matrix here has more rows than columns."""
        momentum = self.recipe.momentum
        gradient = self._gather(one, other)
        self.velocity.mul_(momentum).add_(gradient)
        gradient.add_(self.velocity, alpha=momentum)  # Nesterov's
        self.memory.add_(orthogonalise(gradient, ORTHOGONAL_STEPS), alpha=-self.rate * scale)
        self._teach()

    def _teach(self) -> None:
        if self.spread is None:
            self.learner.copy_(self.memory)
        else:  # (R, C) to (R, L P) to (L R, P)
            rows, width = len(self.memory), self.learner.size(1)
            spread = (self.memory.to(self.spread.dtype) @ self.spread).view(rows, -1, width)
            self.learner.view(-1, rows, width).copy_(spread.transpose(0, 1))

    def _gather(self, one: Tensor, other: Tensor) -> Tensor:
        """The gradient for the model's weight: the sum of two of the learner's, and over all positions."""
        if self.spread is None:
            return one.float().add_(other)
        rows, width = len(self.memory), self.learner.size(1)
        both = (one + other).view(-1, rows, width).transpose(0, 1).reshape(rows, -1)
        return (both @ self.spread.T).float()
