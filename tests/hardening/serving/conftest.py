"""The fixtures of the tests of serving, for attempts to break it."""

from tests.serving.conftest import client as client
from tests.serving.conftest import predictor as predictor
from tests.serving.conftest import service as service
from tests.serving.conftest import start as start
