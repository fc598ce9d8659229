"""The fixture of the tests of inference, for attempts to break it."""

from tests.inference.conftest import run as run
