"""min and max."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.analytics.conftest import booleans, both, close, doubles, integers, split


@given(integers | booleans, st.sampled_from(["min", "max"]))
@settings(max_examples=10)
def test_whole_numbers_are_exact(engine, values, which):
    for column in both(engine, values):
        result = getattr(column, which)().reveal()
        assert type(result) is int
        assert result == int(getattr(pd.Series(values), which)())


@given(doubles, st.sampled_from(["min", "max"]))
@settings(max_examples=15)
def test_floats_are_within_the_stated_bound(engine, values, which):
    for column in both(engine, values):
        close(getattr(column, which)(), float(getattr(values, which)()))


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=9))
@settings(max_examples=15)
def test_owners_columns_may_hold_any_finite_double(engine, values):
    column = split(engine, np.array(values))["x"]
    for query, expected in ((column.min(), min(values)), (column.max(), max(values))):
        result = query.reveal()
        assert abs(result - expected) <= max(math.ulp(expected), query.error.absolute)


def test_one_value_is_opened(fresh):
    for column in both(fresh, [5, -2, 9]):
        fresh.jobs.clear()
        assert column.min().reveal("bob") == -2
        assert fresh.revealed() == [("bob", "0: min (min of x)")]


@pytest.mark.parametrize("value", [2**61, -(2**61)])
def test_large_integers_of_owners(fresh, value):
    column = split(fresh, np.array([value, 0], np.int64))["x"]
    assert (column.min().reveal(), column.max().reveal()) == (min(value, 0), max(value, 0))
