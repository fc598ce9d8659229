"""Attempts to break things, apart from the tests that say what the product does: what all of them share."""

from tests.cli.conftest import run_cli as run_cli
from tests.hardening.attempts import faults as faults
