"""Statistics of whole frames: pandas' with numeric_only, its index, names and dtypes."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analytics as an
import icm_ray as icm
from icm_ray.errors import ColumnError, InputError, UnsupportedError

KINDS = {"x": "float64", "n": "int64", "y": "float64", "b": "bool", "ward": "object"}
rows = st.tuples(
    st.one_of(st.none(), st.floats(-1e6, 1e6)),
    st.integers(-(2**31), 2**31),
    st.one_of(st.none(), st.floats(-10, 10)),
    st.booleans(),
    st.sampled_from(["a", "b", None]),
)
some = st.lists(rows, max_size=12)


def frames(given_rows):
    columns = list(zip(*given_rows, strict=True)) or [()] * len(KINDS)
    made = {name: pd.Series(list(c), dtype=kind) for (name, kind), c in zip(KINDS.items(), columns, strict=True)}
    return pd.DataFrame(made).astype({"ward": "str"})


def two(engine, one, other):
    first, second = frames([(1.5, 1, 7.5, True, "a"), (2.5, 0, -7.5, False, "b"), *one]), frames(other)
    held = an.from_pandas(engine, dict(zip(engine.everyone, (first, second), strict=False)))
    return held, pd.concat([first, second], ignore_index=True)


def same(found, expected):
    check = pd.testing.assert_series_equal if isinstance(expected, pd.Series) else pd.testing.assert_frame_equal
    assert type(found) is type(expected)
    check(found, expected, rtol=1e-9, atol=1e-9)


NUMBERS = ["x", "n", "y"]
FORMS = {
    "count": lambda frame, _: frame.count(),
    "sum": lambda frame, options: frame.sum(**options),
    "mean": lambda frame, options: frame.mean(**options),
    "var": lambda frame, options: frame.var(ddof=0, **options),
    "std": lambda frame, options: frame.std(**options),
    "min": lambda frame, options: frame[NUMBERS].min(**options),
    "max": lambda frame, options: frame[NUMBERS].max(**options),
    "min of booleans": lambda frame, options: frame[["b"]].min(**options),
    "max of booleans and others": lambda frame, options: frame[["b", "n"]].max(**options),
    "sum of integers": lambda frame, options: frame[["n", "b"]].sum(**options),
    "an aggregate": lambda frame, _: frame[NUMBERS].agg("mean"),
    "aggregates": lambda frame, _: frame[NUMBERS].agg(["count", "sum", "min", "std"]),
    "by column": lambda frame, _: frame.agg({"x": "mean", "n": "sum"}),
    "by column several": lambda frame, _: frame.agg({"x": ["mean", "max"], "n": ["sum"]}),
    "of a column": lambda frame, _: frame["n"].agg(["min", "max"]),
}


@given(one=some, other=some)
@settings(max_examples=4)
@pytest.mark.few(1)
def test_every_statistic(engine, one, other):
    held, plain = two(engine, one, other)
    for form, found in zip(FORMS, icm.reveal(*(ask(held, {}) for ask in FORMS.values())), strict=True):
        same(found, FORMS[form](plain, {"numeric_only": True}))


def pair(plain, one, other):
    """The population covariance over the rows where both have a value: pandas' has none where some are missing."""
    x, y = plain[one].astype(float), plain[other].astype(float)
    there = x.notna() & y.notna()
    return np.cov(x[there], y[there], ddof=0)[0, 1] if there.any() else np.nan


def close(found, expected):
    """As near as doubles can be that pandas adds up: an error of what is summed, not of the sum."""
    assert list(found.index) == list(expected.index) == list(found.columns)
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    assert ((found - expected).abs() <= 1e-9 * scale + 1e-9).where(expected.notna(), found.isna()).all(axis=None)


@given(one=some, other=some)
@settings(max_examples=4)
@pytest.mark.slow
def test_tables_of_pairs(engine, one, other):
    held, plain = two(engine, [(0.5, 5, 1.25, True, "b"), *one], other)
    found, of_all = icm.reveal(held[NUMBERS].cov(), held[NUMBERS].cov(ddof=0))
    close(found, plain[NUMBERS].cov())
    close(of_all, pd.DataFrame({one: {other: pair(plain, one, other) for other in NUMBERS} for one in NUMBERS}))
    corr = held.corr().reveal()
    assert list(corr.index) == list(corr.columns) == ["x", "n", "y", "b"]
    assert np.array_equal(corr, corr.T, equal_nan=True)


@pytest.mark.slow
def test_correlations_are_those_of_pandas(engine):
    rng = np.random.default_rng(5)
    base = rng.standard_normal((60, 4)) @ rng.standard_normal((4, 4))
    frame = pd.DataFrame(base, columns=list("abcd"))
    frame.loc[::7, "b"] = np.nan
    frame["whole"], frame["flag"], frame["constant"] = rng.integers(0, 100, 60), base[:, 0] > 0, 4.0
    held = an.from_pandas(engine, {"alice": frame[:20], "bob": frame[20:]})
    same(held.corr().reveal(), frame.corr())
    same(held.cov().reveal(), frame.cov())


def test_statistics_of_chosen_rows_and_of_computed_columns(fresh):
    held, plain = two(fresh, [(0.25, 9, None, True, "a")], [(4.5, 3, 2.5, True, None)])
    chosen, expected = held[held["b"]].assign(z=held["x"] * 2), plain[plain["b"]].assign(z=plain["x"] * 2)
    same(chosen.mean().reveal(), expected.mean(numeric_only=True))
    same(chosen.count().reveal(), expected.count())


def test_what_a_policy_withholds_is_said(fresh):
    frame = pd.DataFrame({"x": np.arange(40.0), "y": [1.0, 2.0] + [np.nan] * 38})
    held = an.from_pandas(fresh, {"alice": frame[:20], "bob": frame[20:]}, policy=icm.Policy())
    for found in icm.reveal(held.mean(), held.corr(), held.agg(["mean", "std"])):
        assert found.attrs["withheld"]
    assert np.isnan(held.mean().reveal()["y"])


def test_what_cannot_be_is_refused_before_anything_is_asked(fresh):
    held, _ = two(fresh, [], [])
    fresh.jobs.clear()
    for refused, error, says in (
        (held[["ward"]].mean, ColumnError, "no column of numbers"),
        (lambda: held.agg("least"), InputError, "no aggregate 'least'"),
        (lambda: held.agg([]), InputError, "one or more"),
        (lambda: held.agg({}), InputError, "name an aggregate"),
        (lambda: held.agg({"ward": "mean"}), ColumnError, "no numbers"),
        (lambda: held.agg({"z": "mean"}), ColumnError, "no column"),
        (lambda: held.cov(ddof=0.5), InputError, "ddof"),
        (lambda: held["x"].agg("size"), InputError, "no aggregate"),
    ):
        with pytest.raises(error, match=says):
            refused()
    assert not fresh.jobs


SHOWING = (
    "head",
    "tail",
    "sample",
    "iloc",
    "values",
    "to_numpy",
    "to_pandas",
    "apply",
    "iterrows",
    "itertuples",
)


@pytest.mark.parametrize("name", SHOWING)
def test_rows_are_not_shown(fresh, name):
    held, _ = two(fresh, [], [])
    for what in (held, held["x"]):
        with pytest.raises(UnsupportedError, match="rows"):
            getattr(what, name)
        assert not hasattr(what, name)
    with pytest.raises(AttributeError, match="no attribute 'reveall'"):
        _ = held["x"].reveall
