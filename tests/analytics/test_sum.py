import numpy as np
import pandas as pd
from hypothesis import given, settings

from tests.analytics.conftest import booleans, both, close, doubles, exactly, integers, split


@given(integers | booleans)
@settings(max_examples=8)
def test_whole_numbers_are_exact(engine, values):
    for column in both(engine, values):
        total = column.sum().reveal()
        assert type(total) is int
        assert total == int(pd.Series(values).sum())
        assert str(column.sum().error) == "exact"


@given(doubles)
@settings(max_examples=12)
def test_floats_are_within_the_stated_bound(engine, values):
    held, shared = both(engine, values)
    close(held.sum(), sum(exactly(values)))
    close(shared.sum(), sum(exactly(values)))


def test_is_that_of_pandas(engine):
    values = pd.Series(np.random.default_rng(1).normal(50, 20, 300))
    assert abs(split(engine, values)["x"].sum().reveal() - values.sum()) <= 1e-13 * abs(values.sum())


def test_large_integers_of_owners_are_exact(engine):
    values = np.array([2**56 + 1, 3, -(2**55) - 7, 11], np.int64)
    assert split(engine, values)["x"].sum().reveal() == int(values.sum())
