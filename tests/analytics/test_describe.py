"""Descriptions of columns and of frames: pandas' on the pooled rows."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analytics as an
import icm_ray as icm
from icm_ray.errors import ColumnError, InputError, PolicyError
from tests.analytics.test_frame_statistics import same, some, two

PERCENTILES = [0.9, 0.001, 0.5, 1 / 3]


@given(one=some, other=some, percentiles=st.sampled_from([None, [], [0.5], PERCENTILES]))
@settings(max_examples=2)
def test_of_numbers(engine, one, other, percentiles):
    held, plain = two(engine, one, other)
    every, floats, x = icm.reveal(
        held.describe(percentiles), held.describe(percentiles, include="float"), held["x"].describe(percentiles)
    )
    same(every, plain.describe(percentiles))
    same(floats, plain.describe(percentiles, include="float"))
    same(x, plain["x"].describe(percentiles))
    assert every.attrs["withheld"] == x.attrs["withheld"] == ()


@pytest.mark.parametrize("values", [[True, False, True, None], [True]])
def test_of_values_that_are_public(fresh, values):
    plain = pd.DataFrame({"b": pd.array(values, "boolean"), "x": np.arange(len(values))})
    plain["c"] = pd.Categorical([None if value is None else "ab"[value] for value in values], ["b", "z", "a"])
    held = an.from_pandas(fresh, {"alice": plain[:1], "bob": plain[1:]})
    expected = plain.assign(b=plain["b"].astype(object), c=plain["c"].astype(object))
    found, of_words = icm.reveal(held.describe(include="all"), held.describe(include=["bool", "category"]))
    pd.testing.assert_frame_equal(found, expected.describe(include="all"), check_dtype=False)
    pd.testing.assert_frame_equal(of_words, expected[["b", "c"]].describe(), check_dtype=False)
    same(held["b"].describe().reveal(), expected["b"].describe())


def test_the_first_of_equally_frequent_values_is_the_top(fresh):
    held = an.from_pandas(fresh, {"alice": pd.DataFrame({"b": [True, False, True, False]})})
    assert held["b"].describe().reveal().tolist() == [4, 2, False, 2]


def test_of_chosen_and_of_computed_columns(fresh):
    held, plain = two(fresh, [(0.25, 9, None, True, "a")], [(4.5, 3, 2.5, True, None)])
    chosen, expected = held[held["b"]].assign(z=held["x"] * 2), plain[plain["b"]].assign(z=plain["x"] * 2)
    same(chosen.describe().reveal(), expected.describe())


def test_of_shared_rows_what_there_is(fresh):
    held, plain = two(fresh, [(0.25, 9, None, True, "a")], [(4.5, 3, 2.5, True, None)])
    found = held[["x", "n", "b"]].share().describe().reveal()
    there = ["count", "mean", "std", "min", "max"]
    expected = plain[["x", "n"]].describe()
    pd.testing.assert_frame_equal(found.loc[there], expected.loc[there], rtol=1e-4, atol=1e-4)
    assert list(found.index) == list(expected.index)
    if found.loc["50%"].isna().any():
        assert "before .share()" in found.attrs["withheld"][0]


def test_what_a_policy_leaves(fresh):
    frame = pd.DataFrame({"x": np.arange(60.0), "y": [1.0, 2.0] + [np.nan] * 58})
    held = an.from_pandas(fresh, {"alice": frame[:20], "bob": frame[20:]}, policy=icm.Policy())
    found = held.describe(percentiles=[0.01, 0.5]).reveal()
    expected = frame.describe(percentiles=[0.01, 0.5])
    assert found["x"].isna().tolist() == [False, False, False, True, True, False, True]
    pd.testing.assert_series_equal(found["x"].dropna(), expected["x"][found["x"].notna()])
    assert found["y"].isna().all()
    says = " ".join(found.attrs["withheld"])
    assert all(
        part in says for part in ("min shows somebody's own value", "0.01 quantile", "count of y", "median of y")
    )
    few = an.from_pandas(fresh, {"alice": frame[:5]}, policy=icm.Policy())
    with pytest.raises(PolicyError, match="5 rows behind it"):
        few["x"].describe()
    one = an.from_pandas(fresh, {"alice": frame}, policy=icm.Policy(recipients=("bob",)))["x"].describe()
    with pytest.raises(PolicyError, match="driver may not receive it"):
        one.reveal()
    of_bob = one.reveal(to="bob")
    assert of_bob["mean"] == 29.5
    assert np.isnan(of_bob["50%"])


def test_what_cannot_be_is_refused(fresh):
    held, _ = two(fresh, [], [])
    dated = an.from_pandas(fresh, {"alice": pd.DataFrame({"t": pd.to_datetime(["2020-01-01"])})})
    fresh.jobs.clear()
    for refused, error, says in (
        (held["ward"].describe, ColumnError, "its values are private"),
        (lambda: held.describe(include="all"), ColumnError, "'ward' is not described"),
        (dated.describe, ColumnError, "it holds timestamp"),
        (lambda: held.describe(percentiles=[1.5]), InputError, "from 0 to 1, not at 1.5"),
        (lambda: held.describe(percentiles=0.5), InputError, "takes numbers"),
        (lambda: held.describe(percentiles=[0.5, 0.5]), InputError, "one twice"),
        (lambda: held.describe(include="category"), InputError, "no column is of category"),
        (lambda: held.describe(include="datetime64[ns]"), InputError, "include= takes"),
        (lambda: held.describe(include=3), InputError, "include= takes 'all'"),
    ):
        with pytest.raises(error, match=says):
            refused()
    assert not fresh.jobs
