import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.analytics.conftest import both, numbers, variance


def root(value):
    """The square root of a fraction, as a double; it may be one that has no double itself."""
    bits = 2 * (1200 + max(0, value.denominator.bit_length() - value.numerator.bit_length()) // 2)
    return float(Fraction(math.isqrt((value.numerator << bits) // value.denominator), 1 << (bits // 2)))


@given(numbers, st.integers(0, 2))
@settings(max_examples=15)
@pytest.mark.few(1)
def test_is_within_the_stated_bound(engine, values, ddof):
    for column in both(engine, values):
        query = column.std(ddof)
        result = query.reveal()
        if len(values) <= ddof:
            assert math.isnan(result)
            continue
        assert abs(result - root(variance(values, ddof))) <= query.error.at(result) + math.ulp(result)


def test_a_constant_column_has_none(engine):
    for value in (0.1, -3.75, 1e-5):
        held, shared = both(engine, np.full(7, value))
        assert held.std().reveal() == 0.0
        assert shared.std().reveal() == 0.0


def test_the_bound_does_not_grow_with_the_column(fresh):
    held, shared = both(fresh, [1.0, 2.0, 700000.0])
    assert held.std().error.absolute < 1e-18
    assert shared.std().error.absolute == pytest.approx(2.0**-17 * math.sqrt(3 / 2))
