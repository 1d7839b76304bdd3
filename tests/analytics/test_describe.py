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
@pytest.mark.few(1)
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
    dated = an.from_pandas(fresh, {"alice": pd.DataFrame({"t": [b"2020"]})})
    fresh.jobs.clear()
    for refused, error, says in (
        (dated.describe, ColumnError, "it holds binary"),
        (held.groupby("b").ward.describe, ColumnError, "no numbers or times to describe"),
        (lambda: held.groupby("b").describe([2]), InputError, "from 0 to 1"),
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


def test_of_times(fresh):
    came = pd.to_datetime(["2024-01-05 10:00", "2024-02-17 11:30", "2024-03-08 00:00", None, "2024-03-09 00:02"])
    plain = pd.DataFrame({"came": came, "stay": came - pd.Timestamp("2024-01-01"), "x": [1.5, 2.5, 3.5, 4.5, None]})
    held = an.from_pandas(fresh, {"alice": plain[:2], "bob": plain[2:]})
    found, came = icm.reveal(held.describe(percentiles=[0.5]), held["came"].describe())
    expected = plain.describe(percentiles=[0.5])
    assert list(found.index) == list(expected.index)
    assert found["x"].tolist() == pytest.approx(expected["x"].tolist())
    for name in ("came", "stay"):
        rows = [row for row in expected.index if pd.notna(expected[name][row])]
        assert all(abs(found[name][row] - expected[name][row]) <= pd.Timedelta("1us") for row in rows[1:])
        assert found[name]["count"] == 4
        assert pd.notna(found[name]).sum() == len(rows)
    assert came.to_dict() == plain["came"].describe().to_dict()
    assert icm.reveal(held["stay"].median(), held["came"].quantile(0, "lower")) == (
        plain["stay"].median(), plain["came"].min(),
    )  # fmt: skip


def test_of_private_text(fresh):
    plain = pd.DataFrame({"ward": ["a", "b", "a", None], "x": [1, 2, 3, 4]})
    held = an.from_pandas(fresh, {"alice": plain[:1], "bob": plain[1:]})
    found, every = icm.reveal(held["ward"].describe(), held.describe(include="all"))
    assert found.dropna().to_dict() == {"count": 3, "unique": 2}
    assert "value_counts() opens" in found.attrs["withheld"][0]
    assert every["ward"].dropna().to_dict() == {"count": 3, "unique": 2}
    assert every["x"].dropna().to_dict() == plain["x"].describe().to_dict()
    guarded = an.from_pandas(fresh, {"alice": pd.concat([plain] * 10)}, policy=icm.Policy())
    assert guarded["ward"].describe().reveal().dropna().to_dict() == {"count": 30}


GROUPED = pd.DataFrame({"k": [*"abacab"], "m": [1, 2, 1, 2, 1, 2], "x": [1.5, None, 4.0, 2.5, 8.0, 1.0], "n": range(6)})


@pytest.mark.parametrize("domain", [None, ["a", "b", "c"]])
def test_of_groups(fresh, domain):
    held = an.from_pandas(fresh, {"alice": GROUPED[:2], "bob": GROUPED[2:]})
    groups, plain = held.groupby("k", domain=domain), GROUPED.groupby("k")
    every, one, medians, aggregated, top = icm.reveal(
        groups.describe(),
        groups["x"].describe(percentiles=[0.1]),
        groups[["x", "n"]].median(),
        groups.agg(low=("x", "min"), mid=("n", "median"), rows=("x", "size")),
        groups["x"].quantile(0.9),
    )
    for found, expected in (
        (every, plain.describe()),
        (one, plain["x"].describe(percentiles=[0.1])),
        (medians, plain[["x", "n"]].median()),
        (aggregated, plain.agg(low=("x", "min"), mid=("n", "median"), rows=("x", "size"))),
    ):
        pd.testing.assert_frame_equal(found, expected, check_index_type=False, check_column_type=False)
    pd.testing.assert_series_equal(top, plain["x"].quantile(0.9), check_index_type=False)


def test_of_private_groups_of_shared_rows(fresh):
    shared = an.from_pandas(fresh, {"alice": GROUPED})[["m", "n"]].share()
    found, described = icm.reveal(shared.groupby("m")["n"].agg(["count", "mean"]), shared.groupby("m")["n"].describe())
    expected = GROUPED.groupby("m")["n"]
    pd.testing.assert_frame_equal(found, expected.agg(["count", "mean"]), check_index_type=False)
    pd.testing.assert_frame_equal(described, expected.describe(), check_index_type=False)


def test_of_groups_by_two_private_keys_and_of_none(fresh):
    held = an.from_pandas(fresh, {"alice": GROUPED[:2], "bob": GROUPED[2:]})
    found, flat, none = icm.reveal(
        held.groupby(["m", "k"])["n"].median(),
        held.groupby(["m", "k"], as_index=False)["n"].median(),
        held[held["n"] > 9].groupby("k")["n"].agg(["sum", "median"]),
    )
    expected = GROUPED.groupby(["m", "k"])["n"].median()
    pd.testing.assert_series_equal(found, expected, check_index_type=False)
    pd.testing.assert_frame_equal(flat, expected.reset_index(), check_dtype=False)
    assert none.shape == (0, 2)


@pytest.mark.slow
def test_of_groups_what_a_policy_leaves(fresh):
    frame = pd.DataFrame({"k": np.repeat([0, 1, 2], [30, 40, 4]), "x": np.arange(74.0)})
    held = an.from_pandas(fresh, {"alice": frame[:20], "bob": frame[20:]}, policy=icm.Policy())
    found = held.groupby("k", domain=[0, 1, 2])["x"].describe().reveal()
    expected = frame.groupby("k")["x"].describe()
    assert (
        found.loc[1, ["count", "mean", "25%", "50%"]].tolist()
        == expected.loc[1, ["count", "mean", "25%", "50%"]].tolist()
    )
    assert found[["min", "max"]].isna().all().all()
    assert found.loc[2].isna().all()
    assert "min shows somebody's own value" in " ".join(found.attrs["withheld"])
    again = an.from_pandas(fresh, {"alice": frame[:20], "bob": frame[20:]}, policy=icm.Policy())
    assert again.groupby("k")["x"].median().reveal().dropna().to_dict() == {1: 49.5}, "4 rows are in none"
    few = an.from_pandas(fresh, {"alice": frame}, policy=icm.Policy(operations=("count", "mean"))).groupby("k")["x"]
    with pytest.raises(PolicyError, match="does not allow median"):
        few.median()
