"""The designs: one network a file, found by looking.

A name goes in, a class or a fresh network comes out. Training, evaluation and inference ask here.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil

from mnist_adder.designs.base import Adder, Source
from mnist_adder.designs.ensemble import Ensemble
from mnist_adder.designs.recipe import Recipe
from mnist_adder.errors import DesignError

__all__ = ["DEFAULT", "Adder", "Ensemble", "Recipe", "Source", "build", "get", "names", "recipe_of"]

DEFAULT = "exact-sum"
"""The design that is meant when none is named."""

_NOT_DESIGNS = {"base", "blocks", "ensemble", "layers", "networks", "presets", "recipe"}


def names() -> list[str]:
    """The names of all designs, in alphabetical order."""
    modules = {module.name for module in pkgutil.iter_modules(__path__)} - _NOT_DESIGNS
    return sorted(module.replace("_", "-") for module in modules)


def get(name: str) -> type[Adder]:
    """The class of a design; call it for a fresh network.

    Raises:
        DesignError: there is no design of this name.
    """
    if name not in names():
        near = difflib.get_close_matches(name, names(), n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise DesignError(f"There is no design {name!r}.{hint} There are: {', '.join(names())}.")
    module = importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Adder) and value.__module__ == module.__name__
    ]
    assert len(found) == 1, f"{module.__name__} must define exactly one Adder, not {len(found)}"
    return found[0]


def build(name: str, preset: str | None = None, members: int = 1) -> Adder:
    """A fresh network: a design's own or a preset's, or an ensemble of several.

    Raises:
        DesignError: there is no such design or preset, or fewer than one member.
    """
    design = get(name)
    if preset is not None:
        _check_preset(design, preset)
    if members < 1:
        raise DesignError(f"An ensemble of {members}: it needs at least one member.")
    made = [design(preset) if preset is not None else design() for _ in range(members)]
    return made[0] if members == 1 else Ensemble(made)


def recipe_of(name: str, preset: str | None = None) -> Recipe:
    """How a design, or a preset of it, is trained.

    Raises:
        DesignError: there is no such design or preset.
    """
    design = get(name)
    if preset is None:
        return design.recipe
    _check_preset(design, preset)
    return design.presets[preset].recipe


def _check_preset(design: type[Adder], preset: str) -> None:
    if not design.presets:
        raise DesignError(f"{design.name()} has no presets; {DEFAULT} has. Leave out --preset or the design.")
    if preset not in design.presets:
        near = difflib.get_close_matches(preset, design.presets, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise DesignError(f"There is no preset {preset!r}.{hint} There are: {', '.join(design.presets)}.")
