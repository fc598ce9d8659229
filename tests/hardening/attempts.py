"""Attempts to break things, counted: the fixture ``faults``.

A test makes each attempt inside ``with faults("what is done")``; where the product does not bear it, an
assertion in that block fails, and so does the test. The suite makes some of the attempts;
``python benchmarks/faults.py`` makes all of them, in the same tests, and writes their number to results/.
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
"""Environment variable: a file that gets a line a kind and test. Where it is set, all attempts are made."""


class Faults:
    """How many attempts of which kind a test has made."""

    def __init__(self) -> None:
        self.made: Counter[str] = Counter()

    @contextmanager
    def __call__(self, kind: str) -> Iterator[None]:
        """Count the block as an attempt once it has ended well."""
        yield
        self.made[kind] += 1

    @staticmethod
    def times(everything: int, in_suite: int) -> range:
        """Numbers of the attempts to make: all, or as many as a quick suite bears."""
        return range(everything if os.environ.get(LOG_VARIABLE) else in_suite)


@pytest.fixture
def faults(request: pytest.FixtureRequest) -> Iterator[Faults]:
    """A counter of attempts, which are noted when the test ends."""
    counted = Faults()
    yield counted
    if log := os.environ.get(LOG_VARIABLE):
        test = request.node.nodeid.partition("::")[0]
        with Path(log).open("a") as lines:
            for kind, attempts in counted.made.items():
                lines.write(json.dumps({"file": test, "kind": kind, "attempts": attempts}) + "\n")
