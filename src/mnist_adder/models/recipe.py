"""A recipe: everything about training that belongs to a model, as one frozen value.

Each model declares one, ``--set key=value`` changes single settings, and config.json records it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from mnist_adder.errors import ModelError

_Fraction = Annotated[float, Field(ge=0, lt=1)]
_Weight = Annotated[float, Field(ge=0)]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(allow_inf_nan=False, extra="forbid"))
class Recipe:
    """How to train a model; pydantic raises ValidationError for a setting that is out of its range."""

    epochs: Annotated[int, Field(ge=1, lt=2**31)]
    train_on: Literal["train", "all"] = "train"  # all: the validation images too, for a final run
    batch_size: Annotated[int, Field(ge=2, lt=2**31)] = 256  # batch normalisation needs 2
    numbers_per_image: Annotated[int, Field(ge=1, le=10)] = 1  # each image is paired with so many at once
    optimizer: Literal["adamw", "sgd", "muon"] = "adamw"
    learning_rate: Annotated[float, Field(gt=0)]  # the highest one, under onecycle
    momentum: _Fraction = 0.9  # adamw: its first beta
    weight_decay: _Weight = 0.0
    schedule: Literal["onecycle", "constant"] = "onecycle"
    warmup_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.25  # of the steps, in which onecycle climbs
    digit_weight: _Weight = 1.0  # of the digit's loss in the total
    sum_weight: _Weight = 1.0  # of the sum's loss in the total
    outlier_weight: _Weight = 1.0  # of telling digits from other characters, where the dataset has these
    label_smoothing: _Fraction = 0.0  # of the digit's targets; the sum's stay as they are
    weight_averaging: Literal["none", "ema", "swa"] = "none"  # over the steps
    ema_decay: _Fraction = 0.99
    swa_start: _Fraction = 0.75  # fraction of the training after which averaging begins
    patience: Annotated[int, Field(ge=0, lt=2**31)] = 0  # epochs without a better validation; 0: no limit
    rotation_degrees: Annotated[float, Field(ge=0, le=180)] = 0.0  # augmentation, see data.augment
    translation_pixels: Annotated[float, Field(ge=0, le=14)] = 0.0
    scale: _Fraction = 0.0  # 0.1: from 0.9 to 1.1 times the size
    shear_degrees: Annotated[float, Field(ge=0, le=60)] = 0.0
    elastic_sigma: Annotated[float, Field(ge=0, le=14)] = 0.0  # pixels, of an elastic distortion
    stroke_jitter: Annotated[float, Field(ge=0, le=1)] = 0.0  # strokes wider or narrower
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"  # bicubic blurs less

    @model_validator(mode="after")
    def _check_together(self) -> Recipe:
        if self.digit_weight + self.sum_weight == 0:
            raise ValueError("sum_weight must be above 0 if digit_weight is 0")
        if self.patience and self.train_on == "all":
            raise ValueError("patience must be 0 if train_on is all: no images are held out then")
        return self

    def scaled_to(self, images: int) -> Recipe:
        """This recipe for so many training images, where they are fewer than MNIST's 55,000."""
        # Smaller batches, so that an epoch still has some 40 steps; steps smaller by the square root of that.
        most = 2 ** max(int(math.log2(images / 40)), 4)
        if self.batch_size <= most:
            return self
        learning_rate = self.learning_rate * math.sqrt(most / self.batch_size)
        return dataclasses.replace(self, batch_size=most, learning_rate=learning_rate)

    def replaced(self, settings: Mapping[str, str | float]) -> Recipe:
        """This recipe with some settings changed: numbers, or text as in ``--set epochs=3``.

        Raises:
            ModelError: there is no such setting, or its value is of the wrong kind or out of range.
        """
        for name in settings:
            if name not in vars(self):
                raise ModelError.unknown("setting", name, vars(self))
        try:
            return TypeAdapter(Recipe).validate_python({**vars(self), **settings})
        except ValidationError as error:
            raise ModelError(f"{explain(error)}.") from None


def explain(error: ValidationError) -> str:
    """The first thing that is wrong: ``epochs is 0: it should be greater than or equal to 1``."""
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        return f"{name} is missing"
    said = first["msg"].removeprefix("Value error, ").replace("Input should", "it should")
    return f"{name} is {first['input']!r:.40}: {said}" if name else said
