"""What counts as a whole number of a caller's."""

import numpy as np
import pytest

from icm_ray.whole_numbers import whole_number


@pytest.mark.parametrize("given", [3, np.int64(3), np.uint8(3), np.array(3)])
def test_pythons_and_numpys(given) -> None:
    found = whole_number(given)
    assert type(found) is int
    assert found == 3


@pytest.mark.parametrize("given", [None, True, np.bool_(True), 3.0, np.float64(3), "3", [3], np.array([3, 3])])
def test_nothing_else(given) -> None:
    assert whole_number(given) is None
