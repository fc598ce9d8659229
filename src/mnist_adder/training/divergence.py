"""Telling a training that has run away from one that has not.

A model and an epoch's losses come in; a DivergedError goes out, or nothing. Next: ``callbacks``, once an
epoch, and ``speedrun``, at its end.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from mnist_adder.errors import DivergedError
from mnist_adder.models import Adder
from mnist_adder.runs import RunConfig

RUNAWAY = 1e4
"""A mean training loss, of digits or sums, above this has run away: those that guess have 100 at most."""


def check_losses(figures: Mapping[str, float]) -> None:
    """Refuse losses that ran away.

    Args:
        figures: an epoch's, by their names in metrics.csv; those whose names do not end in ``loss`` do not
            matter. Validation losses need only be finite: short trainings have high ones while batch
            normalisation does not know the images yet.

    Raises:
        DivergedError: one is not finite, or a training loss is too high.
    """
    for name, loss in figures.items():
        limit = RUNAWAY if name in ("train_digit_loss", "train_sum_loss") else math.inf
        if name.endswith("loss") and not abs(loss) < limit:
            raise DivergedError(f"its {name} is {loss:.3g}")


def check_weights(model: Adder) -> None:
    """Refuse weights, or statistics of batch normalisation, that are not finite.

    Raises:
        DivergedError: some are not.
    """
    for name, values in model.state_dict().items():
        if not bool(values.isfinite().all()):
            raise DivergedError(f"its weights {name} hold values that are no finite numbers")


def what_to_do(config: RunConfig) -> str:
    """The sentence for whoever's training diverged."""
    finder = "" if config.preset else f", which mnist-adder find-lr {config.model} suggests"
    return (
        f"Train again, in another folder, with a lower rate than {config.recipe.learning_rate:g}: "
        f"--set learning_rate=...{finder}."
    )
