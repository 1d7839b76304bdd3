"""min and max."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icm_ray.errors import BoundError
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


@given(st.lists(st.floats(-(2.0**511), 2.0**511), min_size=1, max_size=9))
@settings(max_examples=15)
def test_owners_columns_keep_every_digit_at_any_scale(engine, values):
    column = split(engine, np.array(values))["x"]
    for query, expected in ((column.min(), min(values)), (column.max(), max(values))):
        result = query.reveal()
        assert result == expected or abs(result - expected) <= query.error.absolute <= 2.0**-511


def test_doubles_beyond_what_is_ordered_are_refused(fresh):
    with pytest.raises(BoundError, match="x: "):
        split(fresh, np.array([1.0, 2.0**512]))["x"].max().reveal()


def test_one_value_is_opened(fresh):
    for column in both(fresh, [5, -2, 9]):
        fresh.jobs.clear()
        assert column.min().reveal("bob") == -2
        assert fresh.revealed() == [("bob", "0: min (min of x)")]


@pytest.mark.parametrize("value", [2**61, -(2**61)])
def test_large_integers_of_owners(fresh, value):
    column = split(fresh, np.array([value, 0], np.int64))["x"]
    assert (column.min().reveal(), column.max().reveal()) == (min(value, 0), max(value, 0))
