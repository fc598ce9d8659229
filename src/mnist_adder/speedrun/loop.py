"""The training loop of the speedrun: one pass over nine tenths of the images, in 105 steps of 512.

What makes it quick, most of it first:

- All layers are matrix products, the convolutions too (see ``unrolled``), in bfloat16 where the processor has
  a matrix unit for it. Float32 master weights keep what bfloat16 would round away.
- Updates are orthogonalised (Muon, see :mod:`mnist_adder.training.muon`), so that few steps are enough.
- Two threads learn from half of each batch. PyTorch's own threads gain nothing: they split every operation,
  and these are too small for that.
- Training begins while the rest of the file is still being unpacked (see ``stream``).
- No Python runs for a single image, there is no optimizer or schedule object, and of the loss only the
  gradient is calculated.

With one thread the two halves of a batch take turns, so that the weights are the same, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor, nn

from mnist_adder.errors import DataError, DivergedError
from mnist_adder.models import Recipe
from mnist_adder.models.exact_sum import ExactSum
from mnist_adder.speedrun.stream import TrainingImages, draw_batches
from mnist_adder.speedrun.unrolled import best_dtype, replicas, unrollings
from mnist_adder.training.complete import check_weights
from mnist_adder.training.muon import orthogonalise
from mnist_adder.types import DIGITS

NETWORK = "fast"
"""Which of the networks of ``exact-sum``: models.build("exact-sum", "fast")."""
RECIPE: Recipe = ExactSum.presets[NETWORK].recipe
ORTHOGONAL_STEPS = 3
IMAGE_FRACTION = 0.9
"""Of the images, that are trained on: the last tenth would cost a tenth of the time for 0.07 points."""
_HEAD_RATE = 0.25  # the last layer's learning rate, relative to the others'
_FIRST_THREAD, _SECOND_THREAD = (0, 2, 3), (1,)  # the weights that each updates; the second draws a batch too

_First = TypeVar("_First")
_Second = TypeVar("_Second")
_Gradients = Sequence[Tensor]
_Batch = tuple[Tensor, Tensor]  # patches (25 B, 64) and digits (B,)


def train_network(
    images: TrainingImages,
    *,
    seed: int,
    indices: Tensor | None = None,
    threads: int = 2,
    recipe: Recipe = RECIPE,
) -> ExactSum:
    """Train the network ``fast`` of ``exact-sum`` on most of the images, each once.

    Args:
        images: the training set, which may still be unpacked meanwhile.
        seed: of the initial weights and the order of the images.
        indices: (K,) int64, ascending: the images to choose from; None is all of them.
        threads: 1 or 2; the weights are the same.
        recipe: whose batch size (even), learning rate, momentum, warm-up and label smoothing are followed.

    Returns:
        The model, in evaluation mode, with float32 weights.

    Raises:
        DataError: a file of the images is not what it should be, or there are too few images for a step.
        DivergedError: the weights are not finite.
    """
    count = len(images.digits if indices is None else indices)
    steps = count_steps(count, recipe.batch_size)
    if steps < 1:
        raise DataError(f"{count} training images are too few for one step of {recipe.batch_size}.")
    dtype, torch_threads = best_dtype(), torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]), ThreadPoolExecutor(1) as helper:
            torch.manual_seed(seed)
            model = ExactSum(NETWORK)
            batches = draw_batches(images, indices, recipe.batch_size, seed, dtype)
            _Loop(model, batches, recipe, dtype, helper if threads > 1 else None).run(steps)
    finally:
        torch.set_num_threads(torch_threads)
    try:
        check_weights(model)
    except DivergedError as error:
        raise DivergedError(
            f"The speedrun diverged: {error}. Try another seed, or in Python a learning rate below "
            f"{recipe.learning_rate:g}."
        ) from None
    return model.eval()


def count_steps(images: int, batch_size: int) -> int:
    """How many steps a training on so many images takes."""
    return int(IMAGE_FRACTION * images) // batch_size


class _Loop:
    """A step has two phases, each on two threads: first gradients of two halves, then updates and a batch."""

    def __init__(
        self,
        model: ExactSum,
        batches: Iterator[_Batch],
        recipe: Recipe,
        dtype: torch.dtype,
        helper: ThreadPoolExecutor | None,
    ) -> None:
        self.model, self.batches, self.recipe, self.helper = model, batches, recipe, helper
        self.replicas = replicas(dtype)
        self.working_weights = list(self.replicas[0].parameters())  # both replicas share them
        rate = recipe.learning_rate
        self.weights = [
            _Weight(*parts, recipe.momentum)
            for parts in zip(
                model.parameters(),
                self.working_weights,
                (*unrollings(dtype), None, None),
                (rate, rate, rate, rate * _HEAD_RATE),
                strict=True,
            )
        ]
        self.targets = torch.eye(DIGITS) * (1 - recipe.label_smoothing) + recipe.label_smoothing / DIGITS

    def run(self, steps: int) -> None:
        """Train for so many steps, and leave weights and batch statistics in the model."""
        batch = self._next_batch()
        for step in range(steps):
            done = (step + 0.5) / steps
            scale = min(done / self.recipe.warmup_fraction, (1 - done) / (1 - self.recipe.warmup_fraction))
            patches, digits = (tensor.chunk(2) for tensor in batch)
            gradients = self._in_parallel(
                partial(self._gradients, self.replicas[0], patches[0], digits[0]),
                partial(self._gradients, self.replicas[1], patches[1], digits[1]),
            )
            _, batch = self._in_parallel(
                partial(self._update, _FIRST_THREAD, gradients, scale),
                partial(self._update_and_prepare, _SECOND_THREAD, gradients, scale),
            )
        statistics = (module.buffers() for module in (self.model, *self.replicas))
        for of_model, one, other in zip(*statistics, strict=True):
            of_model.copy_((one + other) / 2)

    def _in_parallel(
        self, first: Callable[[], _First], second: Callable[[], _Second]
    ) -> tuple[_First, _Second]:
        """Do two things at once, the second on the helper's thread; without one, one after the other."""
        if self.helper is None:
            return first(), second()
        pending = self.helper.submit(second)
        return first(), pending.result()

    def _gradients(self, replica: nn.Module, patches: Tensor, digits: Tensor) -> _Gradients:
        """The working weights' gradients, from that of cross-entropy: probability minus target."""
        logits = replica(patches)
        targets = self.targets.index_select(0, digits)
        of_logits = logits.detach().float().softmax(1).sub_(targets).mul_(1 / self.recipe.batch_size)
        # A scalar that has this gradient: autograd.grad(logits, ..., of_logits) would import sympy when first
        # called, which takes 0.4 seconds.
        scalar = (logits * of_logits.to(logits.dtype)).sum()
        return torch.autograd.grad(scalar, self.working_weights)

    def _update(self, places: Sequence[int], gradients: tuple[_Gradients, _Gradients], scale: float) -> None:
        for place in places:
            self.weights[place].update(gradients[0][place], gradients[1][place], scale)

    def _update_and_prepare(
        self, places: Sequence[int], gradients: tuple[_Gradients, _Gradients], scale: float
    ) -> _Batch:
        self._update(places, gradients, scale)
        return self._next_batch()

    def _next_batch(self) -> _Batch:
        """The next batch; empty if there is none, as there may be after the last step."""
        return next(self.batches, (torch.empty(0), torch.empty(0)))


class _Weight:
    """A weight of the model: its float32 master, the working copy that the replicas use, and its momentum.

    Args:
        weight: the model's own, as a matrix (R, C) with a row an output: updates change the model.
        working: the replicas' copy: (R, C), or unrolled (L R, P).
        unrolling: (C, L P) for a convolution, see ``unrolled``; None for a linear layer.
        rate: the learning rate at its highest.
        momentum: what remains of the velocity after a step.
    """

    def __init__(
        self, weight: Tensor, working: Tensor, unrolling: Tensor | None, rate: float, momentum: float
    ) -> None:
        self.master, self.working, self.unrolling = weight.detach().flatten(1), working.detach(), unrolling
        self.velocity = torch.zeros_like(self.master)
        self.rate, self.momentum = rate, momentum
        self._refresh_working()

    def update(self, one: Tensor, other: Tensor, scale: float) -> None:
        """Take Muon's step with the sum of the two halves' gradients, at ``scale`` times the rate.

        Muon's factor for tall matrices is left out: no matrix here has more rows than columns.
        """
        gradient = self.gradient(one, other)
        self.velocity.mul_(self.momentum).add_(gradient)
        gradient.add_(self.velocity, alpha=self.momentum)  # Nesterov's
        self.master.add_(orthogonalise(gradient, ORTHOGONAL_STEPS), alpha=-self.rate * scale)
        self._refresh_working()

    def gradient(self, one: Tensor, other: Tensor) -> Tensor:
        """The master's gradient (R, C): summed over the two halves, and over a convolution's positions."""
        if self.unrolling is None:
            return one.float().add_(other)
        rows, inputs = len(self.master), self.working.size(1)
        both = (one + other).view(-1, rows, inputs).transpose(0, 1).reshape(rows, -1)
        return (both @ self.unrolling.T).float()

    def _refresh_working(self) -> None:
        if self.unrolling is None:
            self.working.copy_(self.master)
        else:  # (R, C) to (R, L P) to (L R, P)
            rows, inputs = len(self.master), self.working.size(1)
            unrolled = (self.master.to(self.unrolling.dtype) @ self.unrolling).view(rows, -1, inputs)
            self.working.view(-1, rows, inputs).copy_(unrolled.transpose(0, 1))
