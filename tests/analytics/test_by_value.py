"""Counts of values, histograms and tables of two columns: pandas' and numpy's on the pooled rows."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analytics as an
import icm_ray as icm
from icm_ray.errors import ColumnError, InputError, PolicyError

WARDS = ["a", "b", "c"]
KINDS = {"x": "float64", "n": "int64", "b": "bool", "ward": "object"}
rows = st.tuples(
    st.one_of(st.none(), st.floats(-4, 4)), st.integers(-3, 3), st.booleans(), st.sampled_from([*WARDS, None])
)
some = st.lists(rows, max_size=14)


def frames(given_rows):
    columns = list(zip(*given_rows, strict=True)) or [()] * len(KINDS)
    made = {name: pd.Series(list(c), dtype=kind) for (name, kind), c in zip(KINDS.items(), columns, strict=True)}
    return pd.DataFrame(made).astype({"ward": "str"})


def two(engine, one, other):
    first, second = frames([(1.5, 1, True, "b"), *one]), frames(other)
    held = an.from_pandas(engine, dict(zip(engine.everyone, (first, second), strict=False)))
    return held, pd.concat([first, second], ignore_index=True)


def same(found, expected):
    check = pd.testing.assert_series_equal if isinstance(expected, pd.Series) else pd.testing.assert_frame_equal
    assert type(found) is type(expected)
    check(found, expected, rtol=1e-12)


STATED = {"ward": {"domain": [*WARDS, "none has it"]}, "n": {"range": (-3, 3)}, "b": {}}


@pytest.mark.parametrize("name", STATED)
@given(one=some, other=some)
@settings(max_examples=3)
@pytest.mark.few(2)
def test_of_one_column(engine, name, one, other):
    held, plain = two(engine, one, other)
    column, expected, stated = held[name], plain[name], STATED[name]
    counts, shares, unsorted, number, modes = icm.reveal(
        column.value_counts(**stated),
        column.value_counts(normalize=True, **stated),
        column.value_counts(sort=False, **stated),
        column.nunique(**stated),
        column.mode(**stated),
    )
    same(counts.sort_index(), expected.value_counts().sort_index())
    assert counts.is_monotonic_decreasing
    same(shares.sort_index(), expected.value_counts(normalize=True).sort_index())
    same(unsorted, expected.value_counts().sort_index())
    assert number == expected.nunique()
    same(modes, expected.mode())


def test_values_that_nobody_states(fresh):
    held, plain = two(fresh, [(1.0, 2, True, "c"), (1.0, 2, True, "c")], [(2.0, 1, False, "a")])
    same(held["ward"].value_counts().reveal().sort_index(), plain["ward"].value_counts().sort_index())


@given(one=some, other=some)
@settings(max_examples=3)
def test_how_many_different_ones_that_nobody_states(engine, one, other):
    held, plain = two(engine, one, other)
    chosen, expected = held[held["n"] < 2], plain[plain["n"] < 2]
    columns = ("ward", "n")
    found = icm.reveal(*(frame[name].nunique(max_groups=32) for frame in (held, chosen) for name in columns))
    assert found == tuple(frame[name].nunique() for frame in (plain, expected) for name in columns)


def test_of_times_and_decimals_and_of_shares(fresh):
    plain = pd.DataFrame({"t": pd.to_datetime(["2020", "2021", "2020", None]), "b": [True, False, True, True]})
    held = an.from_pandas(fresh, {"alice": plain[:2].assign(n=[3, 1]), "bob": plain[2:].assign(n=[1, 1])})
    fresh.jobs.clear()
    query = held["t"].nunique()
    assert "how many different values there are; neither which, nor a count\n" in query.explain()
    assert query.reveal() == 2
    assert [name for _, name in fresh.revealed()] == ["0: distinct (number of distinct values of t)"]
    shared = held[["b", "n"]].share()
    assert icm.reveal(shared["b"].nunique(), shared["n"].nunique(range=(0, 2))) == (2, 1)
    assert shared["n"].mode(domain=[1, 2, 3]).reveal().tolist() == [1]
    assert shared[shared["n"] > 9]["b"].mode().reveal().tolist() == []


@given(one=some, other=some)
@settings(max_examples=3)
def test_whether_any_or_all_are_true(engine, one, other):
    held, plain = two(engine, one, other)
    none = held[held["n"] > 9]
    found = icm.reveal(
        held["b"].any(), held["b"].all(), held["x"].any(), held["n"].all(), none["b"].any(), none["x"].all()
    )
    expected = plain["b"].any(), plain["b"].all(), plain["x"].any(), plain["n"].all(), False, True
    assert found == tuple(map(bool, expected))


def test_values_outside_of_the_stated_ones_are_in_no_count(fresh):
    held, _ = two(fresh, [(1.0, 2, True, "c"), (1.0, 2, True, "c")], [(2.0, 1, False, "a")])
    column = held["ward"]
    assert column.value_counts(domain=["a", "b"]).reveal().to_dict() == {"a": 1, "b": 1}
    assert column.nunique(domain=["a", "z"]).reveal() == 1
    assert column.mode(domain=["z"]).reveal().tolist() == []


EDGES = np.array([-3.0, -1.0, 0.0, 0.0, 2.5])


@given(one=some, other=some)
@settings(max_examples=4)
def test_histograms(engine, one, other):
    held, plain = two(engine, one, other)
    there = plain.dropna(subset=["x"])
    queries = (
        held["x"].histogram(8, (-4, 4), density=True),
        held["x"].histogram(EDGES, weights=held["n"]),
        held["n"].histogram(6, (-3, 3), weights=held["x"]),
        held["n"].histogram(6, (-3, 3), density=True, weights=held["b"] * 1.0),
        an.histogram2d(held["x"], held["n"], bins=(4, EDGES), range=((-4, 4), None)),
        an.histogram2d(held["x"], held["n"], bins=3, range=((-4, 4), (-3, 3)), weights=held["n"]),
    )
    expected = (
        np.histogram(there["x"], 8, (-4, 4), density=True),
        np.histogram(there["x"], EDGES, weights=there["n"]),
        np.histogram(there["n"], 6, (-3, 3), weights=there["x"]),
        np.histogram(plain["n"], 6, (-3, 3), density=True, weights=plain["b"] * 1.0),
        np.histogram2d(there["x"], there["n"], bins=(np.linspace(-4, 4, 5), EDGES)),
        np.histogram2d(there["x"], there["n"], bins=3, range=((-4, 4), (-3, 3)), weights=there["n"]),
    )
    for found, want in zip(icm.reveal(*queries), expected, strict=True):
        for one_found, one_want in zip(found, want, strict=True):
            assert one_found.dtype == one_want.dtype
            np.testing.assert_allclose(one_found, one_want, rtol=1e-12, atol=1e-12)


@given(one=some, other=some)
@settings(max_examples=4)
@pytest.mark.slow
def test_tables_of_two_columns(engine, one, other):
    held, plain = two(engine, one, other)
    domain = {"ward": WARDS}
    pairs = {
        "counts": {},
        "margins": {"margins": True},
        "shares": {"normalize": True},
        "of rows": {"normalize": "index"},
        "of columns": {"normalize": "columns"},
    }
    plain_one = pd.crosstab(plain["ward"], plain["b"])
    for options in pairs.values():
        found = an.crosstab(held["ward"], held["b"], domain=domain, **options).reveal()
        same(found, pd.crosstab(plain["ward"], plain["b"], **options) if len(plain_one) else found)
    sums = an.crosstab(held["ward"], held["n"] > 0, values=held["n"], aggfunc="sum", domain=domain).reveal()
    same(sums, pd.crosstab(plain["ward"], plain["n"] > 0, values=plain["n"], aggfunc="sum"))


def test_what_is_withheld_is_masked_or_refused(fresh):
    frame = pd.DataFrame({"ward": ["a"] * 20 + ["b"] * 20 + ["c"] * 2, "x": np.arange(42.0), "b": [True, False] * 21})
    held = an.from_pandas(fresh, {"alice": frame[:20], "bob": frame[20:]}, policy=icm.Policy(min_rows=5))
    counts = held["ward"].value_counts(domain=WARDS).reveal()
    assert np.isnan(counts["c"])
    assert counts.attrs["withheld"]
    assert np.isnan(an.crosstab(held["ward"], held["b"], domain={"ward": WARDS}).reveal().loc["c"]).all()
    weighted, _ = held["x"].histogram([0, 10, 40, 42], weights=held["x"]).reveal()
    assert weighted.mask.tolist() == [True, False, True], "the least of the others is withheld too"
    assert set(weighted.withheld) == {0, 2}
    for query in (
        held["ward"].value_counts(normalize=True, domain=WARDS),
        held["x"].histogram([0, 10, 40, 42], density=True),
        an.crosstab(held["ward"], held["b"], domain={"ward": WARDS}, margins=True),
    ):
        with pytest.raises(PolicyError, match="not known"):
            query.reveal()
    with pytest.raises(PolicyError, match="state them"):
        held["ward"].nunique()
    with pytest.raises(PolicyError, match="own value"):
        held["ward"].mode(domain=WARDS).reveal()


def test_private_values_that_are_too_rare_are_not_zero(fresh):
    """... and no sum is taken that misses them."""
    frame = pd.DataFrame({"ward": ["a"] * 20 + ["b"] * 20 + ["c"] * 2 + ["d"] * 3, "x": ["u"] * 20 + ["v"] * 25})
    held = an.from_pandas(fresh, {"alice": frame[:20], "bob": frame[20:]}, policy=icm.Policy(min_rows=5))
    counts = held["ward"].value_counts().reveal()
    assert counts.to_dict() == {"a": 20, "b": 20}
    with pytest.raises(PolicyError, match="the same private groups were asked for; state domain="):
        an.crosstab(held["ward"], held["x"]).reveal()
    held = an.from_pandas(fresh, {"alice": frame[:20], "bob": frame[20:]}, policy=icm.Policy(min_rows=5))
    table = an.crosstab(held["ward"], held["x"]).reveal()
    assert table.loc["a", "u"] == 20
    assert np.isnan(table.loc["a", "v"]), "it may be that two rows were not opened"
    fresh.jobs.clear()
    for refused in (
        lambda: held["ward"].value_counts(normalize=True),
        lambda: an.crosstab(held["ward"], held["x"], margins=True),
        lambda: an.crosstab(held["ward"], held["x"], normalize="index"),
    ):
        with pytest.raises(PolicyError, match="State domain="):
            refused()
    assert not fresh.jobs


def test_what_cannot_be_is_refused_before_anything_is_asked(fresh):
    held, _ = two(fresh, [], [])
    other, _ = two(fresh, [], [])
    shared = held[["n", "b"]].share()
    fresh.jobs.clear()
    for refused, error, says in (
        (lambda: shared["n"].histogram(3, (0, 1), weights=shared["n"]), ColumnError, "before .share"),
        (held["x"].mode, InputError, "not public"),
        (lambda: held["x"].nunique(domain=[1.5]), ColumnError, "not by float"),
        (lambda: held["ward"].nunique(domain=[1]), ColumnError, "it is string"),
        (lambda: held["ward"].mode(range=(1, 2)), InputError, "whole numbers"),
        (lambda: held["n"].mode(range=(2, 1)), InputError, "in order"),
        (lambda: held["n"].mode(range=(1, 2), domain=[1]), InputError, "not by both"),
        (lambda: held["n"].mode(range=3), InputError, "two whole numbers"),
        (lambda: held["x"].histogram(3, (0, 1), weights=[1, 2]), InputError, "weights="),
        (lambda: held["x"].histogram(3, (0, 1), weights=other["x"]), InputError, "different frames"),
        (lambda: held["x"].histogram(3, (0, 1), weights=held["ward"]), ColumnError, "no numbers"),
        (lambda: an.histogram2d(held["x"], held["ward"], 3, ((0, 1), (0, 1))), ColumnError, "no numbers"),
        (lambda: an.histogram2d(held["x"], held["n"], 3), InputError, "range"),
        (lambda: an.histogram2d(held["x"], held["n"], 3, range=3), InputError, "two pairs"),
        (lambda: an.histogram2d(held["x"], held["n"], 4096, ((0, 1), (0, 1))), InputError, "groups"),
        (lambda: an.histogram2d(held["x"], 3, 3), InputError, "takes columns"),
        (lambda: an.crosstab(held["ward"], other["b"], domain={"ward": WARDS}), InputError, "different frames"),
        (lambda: an.crosstab(held["ward"], held["b"], normalize="rows"), InputError, "normalize"),
        (lambda: an.crosstab(held["ward"], held["b"], held["n"]), InputError, "go together"),
        (lambda: an.crosstab(held["ward"], held["b"], held["n"], "least", domain={"ward": WARDS}), InputError, "aggf"),
        (lambda: an.crosstab(held["ward"], held["b"], margins=True, normalize=True), InputError, "one is taken"),
    ):
        with pytest.raises(error, match=says):
            refused()
    assert not fresh.jobs
