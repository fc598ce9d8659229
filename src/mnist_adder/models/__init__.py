"""The models: one network a file, found by their files' names."""

from __future__ import annotations

import importlib
import pkgutil

from mnist_adder.errors import ModelError
from mnist_adder.models.base import Adder, Source
from mnist_adder.models.ensemble import Ensemble
from mnist_adder.models.recipe import Recipe

__all__ = ["DEFAULT", "Adder", "Ensemble", "Recipe", "Source", "build", "get", "names", "recipe_of"]

DEFAULT = "exact-sum"
_NOT_MODELS = {"backbones", "base", "ensemble", "layers", "presets", "recipe", "summary"}


def names() -> list[str]:
    """The names of all models, in alphabetical order."""
    modules = {module.name for module in pkgutil.iter_modules(__path__)} - _NOT_MODELS
    return sorted(module.replace("_", "-") for module in modules)


def get(name: str) -> type[Adder]:
    """The class of a model; call it for a fresh network.

    Raises:
        ModelError: there is no model of this name.
    """
    if name not in names():
        raise ModelError.unknown("model", name, names())
    module = importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
    (model,) = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Adder) and value.__module__ == module.__name__
    ]
    return model


def build(name: str, preset: str | None = None, ensemble_size: int = 1) -> Adder:
    """A fresh network: a model's own or a preset's, or an ensemble of several.

    Raises:
        ModelError: there is no such model or preset, or fewer than one member.
    """
    recipe_of(name, preset)  # refuses what does not exist
    if ensemble_size < 1:
        raise ModelError(f"An ensemble of {ensemble_size}: it needs at least one member.")
    model, chosen = get(name), () if preset is None else (preset,)
    made = [model(*chosen) for _ in range(ensemble_size)]
    return made[0] if ensemble_size == 1 else Ensemble(made)


def recipe_of(name: str, preset: str | None = None) -> Recipe:
    """How a model, or a preset of it, is trained.

    Raises:
        ModelError: there is no such model or preset.
    """
    model = get(name)
    if preset is None:
        return model.recipe
    if not model.presets:
        raise ModelError(f"{name} has no presets; {DEFAULT} has. Leave out --preset or the model.")
    if preset not in model.presets:
        raise ModelError.unknown("preset", preset, model.presets)
    return model.presets[preset].recipe
