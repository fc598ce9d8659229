"""Attempts to break things, counted: the fixture ``faults``.

A test makes each attempt inside ``with faults("what is done")``: if the product bears it, the block ends; if
not, an assertion inside it fails and so does the test. The suite makes some of the attempts;
``python benchmarks/faults.py`` makes all of them, in the same tests, and writes the figures to results/.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

LOG_VARIABLE = "MNIST_ADDER_FAULTS"
"""Environment variable: a file that gets a line of figures a test; where it is set, all attempts are made."""


class Faults:
    """What was tried in a test, and what of it the product survived."""

    def __init__(self) -> None:
        self.tried: Counter[str] = Counter()
        self.survived: Counter[str] = Counter()

    @contextmanager
    def __call__(self, kind: str) -> Iterator[None]:
        """Count the block as one attempt, and as survived if it ends."""
        self.tried[kind] += 1
        yield
        self.survived[kind] += 1

    @staticmethod
    def times(everything: int, in_suite: int) -> range:
        """Numbers of the attempts to make: all, or as many as a quick suite bears."""
        return range(everything if os.environ.get(LOG_VARIABLE) else in_suite)


@pytest.fixture
def faults(request: pytest.FixtureRequest) -> Iterator[Faults]:
    """A counter of attempts, whose figures are noted when the test ends."""
    counted = Faults()
    yield counted
    if log := os.environ.get(LOG_VARIABLE):
        test = request.node.nodeid.partition("::")[0]
        with Path(log).open("a") as lines:
            for kind, tried in counted.tried.items():
                survived = counted.survived[kind]
                line = {"file": test, "kind": kind, "tried": tried, "survived": survived}
                lines.write(json.dumps(line) + "\n")
