"""For tests of what policies allow, which have nothing to show of who works out programs."""

import pytest

from tests.analytics.derived_once import derive_once


@pytest.fixture(scope="module")
def derived_once():
    """Members of one process work out each program once, all together."""
    with pytest.MonkeyPatch.context() as patch:
        derive_once(patch)
        yield
