"""min and max."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analytics as an
from tests.analytics.conftest import booleans, both, close, doubles, integers


@given(integers | booleans, st.sampled_from(["min", "max"]))
@settings(max_examples=6)
@pytest.mark.few(1)
def test_whole_numbers_are_exact(engine, values, which):
    for column in both(engine, values):
        result = getattr(column, which)().reveal()
        assert type(result) is int
        assert result == int(getattr(pd.Series(values), which)())


@given(doubles, st.sampled_from(["min", "max"]))
@settings(max_examples=8)
def test_floats_are_within_the_stated_bound(engine, values, which):
    for column in both(engine, values):
        close(getattr(column, which)(), float(getattr(values, which)()))


@pytest.mark.parametrize("values", [[5, -3], [5, -3, 4, 4], [-(2**31), 2**31]])
def test_extremes_of_partitions_of_two_rows(fresh, values):
    frame = an.from_pandas(fresh, {"alice": pd.DataFrame({"x": values[:2]}), "bob": pd.DataFrame({"x": values})})
    for rows in (frame, frame.share()):
        assert (rows["x"].min().reveal(), rows["x"].max().reveal()) == (min(values), max(values))


def test_one_value_is_opened(fresh):
    for column in both(fresh, [5, -2, 9]):
        fresh.jobs.clear()
        assert column.min().reveal("bob") == -2
        assert fresh.revealed() == [("bob", "0: min (min of x)")]
