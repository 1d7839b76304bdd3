"""Groups of shared rows by private keys, and by many public values: what pandas finds on the pooled rows."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analytics as an
import icm_ray as icm
from icm_ray.errors import BoundError, BoundExceeded, ColumnError, InputError, PolicyError
from tests.analytics.keyed_rows import opened_words, same, table

STATISTICS = ["count", "sum", "mean", "var", "std"]
COLUMNS = ("x", "big", "near", "word", "ill")
TEXTS = ("a", "b", "bé", "zebra")
KEYS = ["big", "near", ["word", "near"], ["near", "ill"]]
row = st.tuples(
    st.none() | st.integers(-4000, 4000).map(lambda n: n / 4),
    st.sampled_from((-(2**31), -1, 0, 1, 2**31)),
    st.integers(-3, 3),
    st.sampled_from((*TEXTS, None)),
    st.booleans(),
)
some = st.lists(row, max_size=12)
close = partial(same, atol=1e-9)


def shared(engine, one, other, **stated):
    parts = [table(rows, COLUMNS) for rows in ([(1.5, 0, 0, "a", True), *one], other)]
    held = an.from_pandas(engine, dict(zip(engine.everyone[-2:], parts, strict=True)), bounds={"near": 3}, **stated)
    return held.share(domain={"word": TEXTS}), pd.concat(parts, ignore_index=True)


def hold(engine, keys, one, other):
    frame, plain = shared(engine, one, other)
    groups, expected = frame.groupby(keys), plain.groupby(keys)
    found, sizes, whole = icm.reveal(groups["x"].agg(STATISTICS), groups.size(), groups.agg(total=("big", "sum")))
    close(found, expected["x"].agg(STATISTICS))
    pd.testing.assert_series_equal(sizes, expected.size(), check_index_type=False)
    close(whole, expected.agg(total=("big", "sum")))
    chosen, expected = frame[frame["x"] > 0].groupby(keys), plain[plain["x"] > 0].groupby(keys)
    close(chosen[["x", "big"]].agg("sum").reveal(), expected[["x", "big"]].agg("sum"))


@pytest.mark.parametrize("keys", KEYS, ids=str)
@given(one=some, other=some)
@settings(max_examples=3)
@pytest.mark.few(2)
def test_groups_are_those_of_pandas(pair, keys, one, other):
    hold(pair, keys, one, other)


@given(keys=st.sampled_from(KEYS), one=some, other=some)
@settings(max_examples=4)
@pytest.mark.few(1)
def test_groups_of_more_owners_and_lanes(engine, keys, one, other):
    hold(engine, keys, one, other)


@given(one=some, other=some)
@settings(max_examples=3)
def test_groups_by_what_is_computed(pair, one, other):
    frame, plain = shared(pair, one, other)
    found, distinct = icm.reveal(frame.groupby(frame["near"] * 2 + 1)["x"].count(), frame["big"].nunique())
    expected = plain.groupby((plain["near"] * 2 + 1).rename("near"))["x"].count()
    pd.testing.assert_series_equal(found, expected, check_index_type=False)
    assert distinct == plain["big"].nunique()


MANY = pd.DataFrame(
    {"n": np.arange(-40, 80) % 97, "x": np.arange(120) / 4, "site": [f"s{n % 41:02}" for n in range(120)]}
)
MANY.loc[::9, "site"] = None
MANY.loc[::7, "x"] = None
SITES = [f"s{n:02}" for n in range(44)]


MANY_GROUPS = [
    ("n", {"n": range(-5, 300)}),
    ("n", {"n": [*range(0, 600, 2), 2**40]}),
    (["site", "n"], {"site": [*SITES, "none has it"], "n": [3, 4, 5, 7, 90, 1000]}),
]


def hold_many(engine, by, domain):
    frame = an.from_pandas(engine, {engine.everyone[0]: MANY[:50], engine.everyone[-1]: MANY[50:]})
    frame = frame.share(domain={"site": SITES})
    for rows, plain in ((frame, MANY), (frame[frame["x"] > 3], MANY[MANY["x"] > 3])):
        groups = rows.groupby(by, domain=domain)
        found, sizes = icm.reveal(groups["x"].agg(STATISTICS), groups.size())
        stated = plain[np.logical_and.reduce([plain[name].isin(list(values)) for name, values in domain.items()])]
        close(found, stated.groupby(by)["x"].agg(STATISTICS))
        pd.testing.assert_series_equal(sizes, stated.groupby(by).size(), check_index_type=False)


@pytest.mark.parametrize("at", range(len(MANY_GROUPS)))
@pytest.mark.few(1)
def test_many_public_groups(pair, at):
    hold_many(pair, *MANY_GROUPS[at])


@pytest.mark.slow
def test_many_public_groups_of_more_owners_and_lanes(engine):
    hold_many(engine, *MANY_GROUPS[0])


@pytest.mark.parametrize("domain", [["s00"], ["s00", "s02"], SITES[:17], SITES[20:23], ["s39", "none has it"]], ids=len)
@pytest.mark.few(2)
def test_rows_of_groups_that_are_not_asked_for_are_in_none(pair, domain):
    frame = an.from_pandas(pair, {"alice": MANY[:50], "bob": MANY[50:]}).share(domain={"site": SITES})
    small = frame["n"] > 40
    plain = MANY[MANY["site"].isin(domain)]
    found, pairs = icm.reveal(
        frame.groupby("site", domain=domain)["x"].agg(["sum", "count"]),
        frame.groupby([small, "site"], domain={"n": [False], "site": domain})["x"].agg(["sum", "count"]),
    )
    close(found, plain.groupby("site")["x"].agg(["sum", "count"]))
    close(pairs, plain[plain["n"] <= 40].groupby([plain["n"] > 40, "site"])["x"].agg(["sum", "count"]))


def test_text_that_is_shared_has_public_values(fresh):
    frame = an.from_pandas(fresh, {"alice": MANY[:50], "bob": MANY[50:]}).share(domain={"site": SITES})
    found = frame.groupby("site")["x"].sum().reveal()
    pd.testing.assert_series_equal(found, MANY.groupby("site")["x"].sum(), check_index_type=False)


POLICY = icm.Policy(min_rows=5, residual_df=1, largest=100, two_largest=100)


def test_groups_that_are_too_small_are_not_there(fresh, monkeypatch):
    """... nor is a number of theirs opened."""
    rows = [(float(n), 0, key, "a", True) for key, count in ((1, 6), (2, 4), (3, 9), (-1, 7)) for n in range(count)]
    frame, plain = shared(fresh, rows[:10], rows[10:], policy=POLICY)
    opened = opened_words(fresh, monkeypatch)
    found = frame.groupby("near")["x"].agg(["sum", "count"]).reveal()
    assert found.index.tolist() == [-1, 1, 3], "2 has 4 rows, 0 one"
    close(found, plain.groupby("near")["x"].agg(["sum", "count"]).loc[[-1, 1, 3]])
    assert all(np.count_nonzero(words) <= 3 for words in opened)


def test_what_cannot_be_is_refused(fresh):
    rows = [(1.0, number, number % 4, "b", True) for number in range(6)]
    frame, _ = shared(fresh, rows, rows)
    strict, _ = shared(fresh, rows * 4, rows * 4, policy=icm.Policy(min_rows=3))
    wide = an.from_pandas(fresh, {"alice": pd.DataFrame({"k": [1, 2], "x": [1.0, 2.0]})}, bounds={"k": 2**55}).share()
    unbounded = an.from_pandas(fresh, {"alice": pd.DataFrame({"k": range(4), "j": range(4), "x": np.arange(4.0)})})
    stated = unbounded.share().groupby(["k", "j"], domain={"k": range(20), "j": range(20)})
    fresh.jobs.clear()
    for refused, error, says in (
        (lambda: frame.groupby("x"), ColumnError, "not by float"),
        (lambda: frame.groupby("big", max_groups=0), InputError, "max_groups=0"),
        (lambda: frame.groupby(["big", "near", frame["big"] + 1]).size().reveal(), BoundError, "smaller bound"),
        (lambda: wide.groupby(["k", wide["k"] + 1]).size().reveal(), BoundError, "fit|smaller bound"),
        (lambda: stated["x"].var().reveal(), BoundError, "groups by k, j, in one word together: .*smaller bound"),
        (lambda: strict.groupby("near")["x"].mean().reveal(), PolicyError, "shared rows in groups of private keys"),
    ):
        with pytest.raises(error, match=says):
            refused()
    assert not fresh.jobs
    with pytest.raises(BoundExceeded, match="max_groups"):
        frame.groupby("big", max_groups=3).size().reveal()
