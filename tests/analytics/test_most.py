"""The largest and least values: pandas' of the pooled rows."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analytics as an
import icm_ray as icm
from icm_ray.errors import ColumnError, InputError, PolicyError
from icm_ray.query.withheld import Withheld
from tests.analytics.conftest import numbers, split


@given(numbers, st.integers(1, 6))
@settings(max_examples=8)
@pytest.mark.few(1)
def test_of_all_rows(engine, values, n):
    column = split(engine, values)["x"]
    largest, smallest = icm.reveal(column.nlargest(n), column.nsmallest(n))
    ordered = sorted(values.tolist())
    assert largest.tolist() == ordered[::-1][:n]
    assert smallest.tolist() == ordered[:n]
    assert largest.name == "x"


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=12), st.integers(-4, 4))
@settings(max_examples=8)
@pytest.mark.slow
def test_of_chosen_rows(engine, values, least):
    frame = split(engine, np.array(values))
    chosen = frame[frame["x"] > least]["x"]
    ordered = sorted(value for value in values if value > least)
    assert chosen.nsmallest(3).reveal().tolist() == ordered[:3]
    assert chosen.nlargest(3).reveal().tolist() == ordered[::-1][:3]


def test_missing_values_are_none_of_them(fresh):
    column = split(fresh, [math.nan, 2.0, -1.0, math.nan])["x"]
    assert column.nlargest(3).reveal().tolist() == [2.0, -1.0]


def test_a_policy_has_to_name_them(fresh):
    rows = {"alice": pd.DataFrame({"x": np.arange(30)})}
    held = an.from_pandas(fresh, rows, policy=icm.Policy(min_rows=3))
    named = an.from_pandas(fresh, rows, policy=icm.Policy(min_rows=3, operations=("nlargest",)))
    fresh.jobs.clear()
    for query, says in (
        (held["x"].nlargest(5), "nlargest shows somebody's own value"),
        (named["x"].nsmallest(5), "does not allow nsmallest"),
        (named["x"].nlargest(2), "asks for 3 of them or more"),
    ):
        with pytest.raises(PolicyError, match=says):
            query.reveal()
    assert not fresh.jobs
    assert named["x"].nlargest(3).reveal().tolist() == [29, 28, 27]
    assert isinstance(named[named["x"] > 27]["x"].nlargest(3).reveal(), Withheld)


def test_what_cannot_be_is_refused(fresh):
    frame = an.from_pandas(fresh, {"alice": pd.DataFrame({"x": [1.0], "ward": ["a"]})})
    for n in (0, 101, True, 2.0):
        with pytest.raises(InputError, match="1 to 100 of the values are shown, not"):
            frame["x"].nlargest(n)
    with pytest.raises(ColumnError, match="no numbers"):
        frame["ward"].nsmallest()
