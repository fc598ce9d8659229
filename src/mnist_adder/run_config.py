"""What a run was trained with and on: the content of its config.json."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from mnist_adder.environment import Precision
from mnist_adder.errors import RunError
from mnist_adder.models.recipe import Recipe, explain
from mnist_adder.safe_io import in_short

_Count = Annotated[int, Field(ge=1, lt=2**31)]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class RunConfig:
    """Everything that is needed to repeat a run, and what it ran on; pydantic checks the values."""

    model: str
    preset: str | None = None  # which network of the model, where it is not the model's own
    ensemble_size: Annotated[int, Field(ge=1, le=100)] = 1  # 1: a single network
    recipe: Recipe
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    dataset: Literal["mnist", "mnist+pen", "digits"]
    data_sha256: str
    attribution: str | None = None  # of data whose licence asks for it
    device: str  # in words, with the processor's or the card's name
    precision: Precision
    devices: _Count  # processes that trained together, on each node
    nodes: _Count = 1  # machines that trained together
    threads: _Count  # of each process
    versions: dict[str, str] = dataclasses.field(default_factory=dict)
    commit: str | None = None  # of the source, where it was a git checkout

    @property
    def network(self) -> str:
        """What is trained, in short: ``exact-sum (tiny)``, ``3 × ...``."""
        return network_name(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """The config as JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, text: str, where: Path) -> RunConfig:
        """The config back from the text of a config.json.

        Raises:
            RunError: it is no JSON object, a key is missing or unknown, or a value is not of its kind.
        """
        try:
            return TypeAdapter(cls).validate_json(text, strict=True)
        except ValidationError as error:
            raise RunError(
                f"{where} is not a config of this version of mnist-adder: {in_short(explain(error))}. "
                "If an earlier version wrote it, train the run again."
            ) from None


def network_name(about: Mapping[str, Any]) -> str:
    """What was trained, in short, from a config's or a results' JSON; see ``RunConfig.network``."""
    preset, size = about.get("preset"), about.get("ensemble_size", 1)
    name = about["model"] if preset is None else f"{about['model']} ({preset})"
    return name if size == 1 else f"{size} × {name}"
