"""Z_2^256 in four limbs."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from icm_ray.ring.wide import BITS, LIMBS, from_integers, to_integers, to_signed

wide = st.integers(-(2 ** (BITS - 1)), 2 ** (BITS - 1) - 1)


@given(st.lists(wide, max_size=10))
def test_signed_numbers_come_back(values):
    limbs = from_integers(values)
    assert limbs.shape == (len(values), LIMBS)
    assert limbs.dtype == np.uint64
    assert to_signed(to_integers(limbs)) == values


@given(st.lists(st.integers(), min_size=1, max_size=5))
def test_numbers_wrap_around(values):
    assert to_integers(from_integers(values)) == [value % 2**BITS for value in values]


@given(wide, wide)
def test_it_is_a_ring(a, b):
    (x,), (y,) = to_integers(from_integers([a])), to_integers(from_integers([b]))
    assert to_integers(from_integers([x + y, x - y, x * y])) == [(a + b) % 2**BITS, (a - b) % 2**BITS, a * b % 2**BITS]


def test_limbs_are_little_endian_and_may_lie_anywhere():
    limbs = from_integers([1 + (2 << 64) + (3 << 128) + (4 << 192), 5])
    assert limbs.tolist() == [[1, 2, 3, 4], [5, 0, 0, 0]]
    assert to_integers(np.asfortranarray(limbs)) == to_integers(limbs)
    limbs[0, 0] = 9
    assert to_integers(limbs)[0] % 2**64 == 9, "limbs can be written"
