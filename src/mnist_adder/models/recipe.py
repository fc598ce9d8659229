"""A recipe: everything about training that belongs to a model, as one frozen value.

Models declare one, ``--set key=value`` overrides single settings, training follows it, and the run's
config.json records it.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

from mnist_adder.errors import ModelError


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to train a model.

    Raises:
        ModelError: a setting is out of its range.
    """

    epochs: int
    train_on: Literal["train", "all"] = "train"  # all: the held-out validation images too, for a last run
    batch_size: int = 256  # images a step
    numbers_per_image: int = 1  # each image of a batch is asked with so many numbers at once
    optimizer: Literal["adamw", "sgd", "muon"] = "adamw"
    learning_rate: float  # the highest one, under onecycle
    momentum: float = 0.9  # adamw: its first beta
    weight_decay: float = 0.0
    schedule: Literal["onecycle", "constant"] = "onecycle"
    warmup_fraction: float = 0.25  # fraction of the steps in which onecycle climbs
    digit_weight: float = 1.0  # of the digit's loss in the total
    sum_weight: float = 1.0  # of the sum's loss in the total
    label_smoothing: float = 0.0  # of the digits: what is shared out among all ten; sums stay as they are
    weight_averaging: Literal["none", "ema", "swa"] = "none"  # of the weights, over the steps
    ema_decay: float = 0.99  # ema: what remains of the average after a step
    swa_start: float = 0.75  # swa: fraction of the epochs after which averaging begins
    patience: int = 0  # stop after so many epochs without a better validation accuracy; 0: never
    rotation_degrees: float = 0.0  # augmentation: drawn from -this..this for each image
    translation_pixels: float = 0.0
    scale: float = 0.0  # 0.1: from 0.9 to 1.1 times the size
    shear_degrees: float = 0.0
    elastic_sigma: float = 0.0  # standard deviation of an elastic distortion
    stroke_jitter: float = 0.0  # strokes wider or narrower by up to this on either side
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"  # between pixels; bicubic blurs less

    def __post_init__(self) -> None:
        for name, kind in get_type_hints(type(self)).items():
            self._check_kind(name, kind, getattr(self, name))
        self._check("epochs", self.epochs >= 1, "at least 1")
        self._check("numbers_per_image", 1 <= self.numbers_per_image <= 10, "1..10")
        self._check("patience", not (self.patience and self.train_on == "all"), "0 where train_on is all")
        self._check("batch_size", self.batch_size >= 2, "at least 2, which batch normalisation needs")
        self._check("patience", self.patience >= 0, "0 (never stop early) or more")
        self._check("learning_rate", self.learning_rate > 0, "above 0")
        for name in ("momentum", "ema_decay", "swa_start", "label_smoothing"):
            self._check(name, 0 <= getattr(self, name) < 1, "at least 0 and below 1")
        self._check("warmup_fraction", 0 < self.warmup_fraction < 1, "between 0 and 1")
        for name in ("weight_decay", "digit_weight", "sum_weight"):
            self._check(name, getattr(self, name) >= 0, "0 or more")
        self._check("sum_weight", self.digit_weight + self.sum_weight > 0, "above 0 if digit_weight is 0")
        for name, top in (
            ("rotation_degrees", 180),
            ("translation_pixels", 14),
            ("shear_degrees", 60),
            ("elastic_sigma", 14),
            ("stroke_jitter", 1),
        ):
            self._check(name, 0 <= getattr(self, name) <= top, f"0..{top}")
        self._check("scale", 0 <= self.scale < 1, "at least 0 and below 1")

    def scaled_to(self, images: int) -> Recipe:
        """This recipe for a training set of ``images``; recipes are written for MNIST's 55,000.

        Fewer images make smaller batches, so that an epoch still has some 40 steps, and a learning rate
        that is lower by the square root of that.
        """
        most = 2 ** max(int(math.log2(max(images, 1) / 40)), 4)
        if self.batch_size <= most:
            return self
        learning_rate = self.learning_rate * math.sqrt(most / self.batch_size)
        return dataclasses.replace(self, batch_size=most, learning_rate=learning_rate)

    def replaced(self, settings: Mapping[str, str | float]) -> Recipe:
        """This recipe with some settings changed: numbers, or text as in ``--set epochs=3``.

        Raises:
            ModelError: there is no such setting, or the text is not of its kind.
        """
        kinds = get_type_hints(type(self))
        return dataclasses.replace(
            self, **{name: _parse(name, value, kinds) for name, value in settings.items()}
        )

    def _check(self, name: str, holds: bool, allowed: str) -> None:
        if not holds:
            raise ModelError(f"{name} is {getattr(self, name)}, but must be {allowed}.")

    def _check_kind(self, name: str, kind: Any, value: Any) -> None:
        if get_origin(kind) is Literal:
            self._check(name, value in get_args(kind), "one of " + ", ".join(get_args(kind)))
        elif kind is int:
            is_whole = isinstance(value, int) and not isinstance(value, bool)
            self._check(name, is_whole and abs(value) < 2**31, "a whole number below 2 ** 31")
        else:
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            is_finite = is_number and abs(value) <= sys.float_info.max  # whole numbers may be larger still
            self._check(name, is_finite, "a finite number")


def _parse(name: str, value: str | float, kinds: Mapping[str, Any]) -> Any:
    if name not in kinds:
        near = difflib.get_close_matches(name, kinds, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise ModelError(f"There is no setting {name!r}.{hint} There are: {', '.join(kinds)}.")
    if not isinstance(value, str):
        return value
    try:
        if kinds[name] is int:
            return int(value)
        return float(value) if kinds[name] is float else value
    except ValueError:
        kind = "a whole number" if kinds[name] is int else "a number"
        raise ModelError(f"{name} is {value!r}, but must be {kind}.") from None
