"""Exact sums of doubles and integers against Python's own integers and fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from icm_ray.owner import exact
from icm_ray.ring.wide import GRID

finite = st.floats(allow_nan=False, allow_infinity=False)


def fractions(values):
    return [Fraction(value) for value in values.tolist()]


@given(hnp.arrays(np.float64, st.integers(0, 200), elements=finite))
def test_sum_of_any_doubles_is_exact(values):
    assert Fraction(exact.total(values), 2**GRID) == sum(fractions(values))


@given(hnp.arrays(np.float64, st.integers(0, 60), elements=finite))
def test_squares_of_any_doubles_are_exact(values):
    expected = sum(value**2 for value in fractions(values))
    assert Fraction(exact.squares(values), 2 ** (2 * GRID)) == expected


@pytest.mark.parametrize("low", [-1074, -30, 0])
def test_full_blocks_of_mixed_scale_are_exact(low):
    rng = np.random.default_rng(abs(low))
    values = np.ldexp(rng.uniform(-1, 1, 3 * 65536 + 17), rng.integers(low, 1, 3 * 65536 + 17))
    values[::7] = np.nextafter(1.0, 0.0)  # as large as digits get, all of one sign
    scaled = [int(value * 2**GRID) for value in fractions(values)]
    assert exact.total(values) == sum(scaled)
    assert exact.squares(values) == sum(value * value for value in scaled)


def test_largest_doubles_neither_overflow_nor_round():
    top = np.finfo(np.float64).max
    values = np.array([top, top, -top, 5e-324, -0.0, 1.0])
    assert Fraction(exact.total(values), 2**GRID) == sum(fractions(values))
    assert exact.squares(np.full(65536, top)) == 65536 * (int(top) << GRID) ** 2


@given(hnp.arrays(np.int64, st.integers(0, 100)))
def test_sum_of_any_int64_is_exact(values):
    assert exact.total_of_integers(values) == sum(values.tolist())


@given(hnp.arrays(np.uint64, st.integers(0, 100)))
def test_sum_of_any_uint64_is_exact(values):
    assert exact.total_of_integers(values) == sum(values.tolist())


@given(
    st.sampled_from([2**21, 2**43, 2**44, 2**63]).flatmap(
        lambda top: hnp.arrays(np.int64, st.integers(0, 100), elements=st.integers(-top, top - 1))
    )
)
def test_squares_of_any_int64_are_exact(values):
    assert exact.squares_of_integers(values) == sum(value * value for value in values.tolist())


@given(hnp.arrays(np.uint64, st.integers(0, 100)))
def test_squares_of_any_uint64_are_exact(values):
    assert exact.squares_of_integers(values) == sum(value * value for value in values.tolist())


@pytest.mark.parametrize(
    ("value", "dtype"),
    [(1 - 2**44, np.int64), (-(2**44), np.int64), (-(2**63), np.int64), (2**63 - 1, np.int64), (2**64 - 1, np.uint64)],
)
def test_squares_of_many_large_integers_are_exact(value, dtype):
    assert exact.squares_of_integers(np.full(200_000, value, dtype)) == 200_000 * value**2
