"""Presets: other networks of ``exact-sum``, each with a recipe that was chosen on held-out images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from torch import nn

from mnist_adder.models import backbones
from mnist_adder.models.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A network and how it is trained."""

    purpose: str  # in a few words
    network: Callable[[], nn.Module]  # normalised images (B, 1, 28, 28) to digit logits (B, 10)
    recipe: Recipe


_TINY = Recipe(
    epochs=30,
    train_on="all",
    batch_size=256,
    optimizer="muon",
    learning_rate=0.05,
    warmup_fraction=0.2,
    weight_averaging="ema",
    ema_decay=0.995,
    rotation_degrees=8,
    translation_pixels=2,
    scale=0.08,
    shear_degrees=4,
    elastic_sigma=0.3,
)
_SMALLER = replace(_TINY, epochs=75, learning_rate=0.1)

PRESETS: Mapping[str, Preset] = {
    "fast": Preset(
        purpose="99 % after 1.5 seconds of training",
        network=backbones.fast,
        recipe=Recipe(
            epochs=1,
            train_on="all",
            batch_size=512,
            optimizer="muon",
            learning_rate=0.1,
            momentum=0.85,
            sum_weight=0,
            label_smoothing=0.1,
        ),
    ),
    "tiny": Preset(purpose="99.4 % with fewer than 10,000 parameters", network=backbones.tiny, recipe=_TINY),
    **{
        name: Preset(
            purpose=f"smaller still: {width} channels",
            network=partial(backbones.tiny, width),
            recipe=_SMALLER,
        )
        for name, width in (("tiny-5k", 12), ("tiny-4k", 10), ("tiny-2k", 7))
    },
    "best": Preset(
        purpose="the highest accuracy that a quarter of an hour gives",
        network=backbones.best,
        recipe=Recipe(
            epochs=32,
            train_on="all",
            batch_size=256,
            optimizer="muon",
            learning_rate=0.05,
            warmup_fraction=0.15,
            sum_weight=0,  # the computed sum's loss is the digit's once more, without the smoothing
            outlier_weight=0.5,  # so half of the others', too
            label_smoothing=0.1,
            weight_averaging="ema",
            ema_decay=0.995,
            rotation_degrees=12,
            translation_pixels=2,
            scale=0.12,
            shear_degrees=8,
            elastic_sigma=1,
            stroke_jitter=0.6,
            interpolation="bicubic",
        ),
    ),
}
