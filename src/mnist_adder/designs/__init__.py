"""The designs: one network a file, found by looking.

A name goes in, a class or a fresh network comes out. Training, evaluation and inference ask here.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil

from mnist_adder.designs.base import Adder, Source
from mnist_adder.designs.recipe import Recipe
from mnist_adder.errors import DesignError

__all__ = ["DEFAULT", "Adder", "Recipe", "Source", "get", "names"]

DEFAULT = "exact-sum"
"""The design that is meant when none is named."""

_NOT_DESIGNS = {"base", "blocks", "layers", "recipe"}


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
