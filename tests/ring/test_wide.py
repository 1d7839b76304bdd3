"""Wide rings: Z_2^(64 L) in L limbs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icm_ray.ring.wide import GRID, LIMBS_OF_DOUBLES, LIMBS_OF_INTEGERS, from_integers, to_integers, to_signed

every_ring = pytest.mark.parametrize("limbs", [2, LIMBS_OF_INTEGERS, LIMBS_OF_DOUBLES])
ROWS = 2**45


@every_ring
@given(st.data())
def test_signed_numbers_come_back(limbs, data):
    top = 2 ** (64 * limbs - 1)
    values = [*data.draw(st.lists(st.integers(-top, top - 1), max_size=10)), -top, top - 1, 0, -1]
    words = from_integers(values, limbs)
    assert words.shape == (len(values), limbs)
    assert words.dtype == np.uint64
    assert to_signed(words) == values


@every_ring
@given(st.lists(st.integers(), min_size=1, max_size=5))
def test_numbers_wrap_around(limbs, values):
    assert to_integers(from_integers(values, limbs)) == [value % 2 ** (64 * limbs) for value in values]


@every_ring
@given(st.integers(), st.integers())
def test_it_is_a_ring(limbs, a, b):
    (x,), (y,) = (to_integers(from_integers([value], limbs)) for value in (a, b))
    found = to_integers(from_integers([x + y, x - y, x * y], limbs))
    assert found == [value % 2 ** (64 * limbs) for value in (a + b, a - b, a * b)]


def test_limbs_are_little_endian_and_may_lie_anywhere():
    limbs = from_integers([1 + (2 << 64) + (3 << 128) + (4 << 192), 5], 4)
    assert limbs.tolist() == [[1, 2, 3, 4], [5, 0, 0, 0]]
    assert to_integers(np.asfortranarray(limbs)) == to_integers(limbs)
    assert to_integers(limbs.reshape(2, 1, 4)) == to_integers(limbs)
    limbs[0, 0] = 9
    assert to_integers(limbs)[0] % 2**64 == 9, "limbs can be written"


@pytest.mark.parametrize(
    ("largest", "limbs"),
    [(2**64 - 1, LIMBS_OF_INTEGERS), (int(np.finfo(np.float64).max) << GRID, LIMBS_OF_DOUBLES)],
)
def test_limbs_hold_n_times_a_sum_of_squares(largest, limbs):
    spread = ROWS * (ROWS * largest**2)
    assert to_signed(from_integers([spread, -spread], limbs)) == [spread, -spread]
