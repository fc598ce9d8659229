"""The fixtures of the tests of data, for attempts to break it."""

from tests.data.conftest import assert_whole as assert_whole
from tests.data.conftest import cache as cache
from tests.data.conftest import mirrors as mirrors
from tests.data.conftest import small as small
