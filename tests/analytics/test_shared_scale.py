"""Shared columns under bounds of any size: every stated error bound holds, against exact arithmetic."""

from __future__ import annotations

import warnings
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analytics as an
from tests.analytics.conftest import variance


@st.composite
def bounded(draw):
    """A power of two to declare, and doubles up to it, near to it and far below."""
    exponent = draw(st.integers(-500, 45))
    top = 2.0**exponent
    scaled = st.floats(-1.0, 1.0).map(lambda v: v * top)
    ends = st.sampled_from([top, -top, top / 3, 0.0, top * 2.0**-40])
    return top, np.array(draw(st.lists(scaled | ends, min_size=2, max_size=24)))


def shared(engine, values, bound):
    """The column as shares of all owners of the session; what `share` warns of is another test's."""
    owners = engine.everyone[: len(values)]
    parts = {owner: pd.DataFrame({"x": values[at :: len(owners)]}) for at, owner in enumerate(owners)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return an.from_pandas(engine, parts, bounds={"x": bound}).share()["x"]


@given(bounded())
@settings(max_examples=10)
@pytest.mark.slow
def test_stated_bounds_hold(engine, drawn):
    bound, values = drawn
    column, plain = shared(engine, values, bound), [Fraction(value) for value in values.tolist()]
    total = sum(plain)
    exact = {"sum": total, "mean": total / len(plain), "var": variance(values, 1), "min": min(plain), "max": max(plain)}
    for name, expected in exact.items():
        query = getattr(column, name)()
        result = query.reveal()
        assert abs(Fraction(result) - Fraction(expected)) <= Fraction(query.error.at(result)), name
    query = column.std()
    result, spread = query.reveal(), Fraction(variance(values, 1))
    off = Fraction(query.error.at(result))
    assert max(Fraction(result) - off, 0) ** 2 <= spread <= (Fraction(result) + off) ** 2


@given(st.integers(0, 50), st.data())
@settings(max_examples=10)
def test_whole_numbers_are_exact_under_every_bound(engine, exponent, data):
    top = 2**exponent
    numbers = st.integers(-top, top) | st.sampled_from([top, -top, 0])
    values = data.draw(st.lists(numbers, min_size=2, max_size=24))
    column = shared(engine, np.array(values, np.int64), top)
    assert column.sum().reveal() == sum(values)
    assert (column.min().reveal(), column.max().reveal()) == (min(values), max(values))
    edges = sorted({*data.draw(st.lists(numbers, min_size=1, max_size=4)), top + 1})
    if len(edges) > 1:
        counts = column.histogram(edges).reveal()[0]
        assert counts.tolist() == np.histogram(np.array(values, np.int64), np.array(edges, np.int64))[0].tolist()
    exact = variance(np.array(values, np.int64), 1)
    assert abs(Fraction(column.var().reveal()) - exact) <= exact / 2**52
