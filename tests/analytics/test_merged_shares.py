"""Merges of shared frames: statistics are pandas' of the merged rows; rules of policies are those of held merges."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import analytics as an
import icm_ray as icm
from icm_ray.errors import BoundError, BoundExceeded, ColumnError, InputError, PolicyError
from icm_ray.query.withheld import Withheld

KEYS = {
    "big": ["big"],
    "word": ["word"],
    "two": ["word", "near"],
    "three": ["big", "near", "ill"],
    "wide": ["big", "id"],
}
TEXTS = ("a", "b", "bé", "c", "zebra")
OTHERS = ("0", "a", "bé", "d", "zebra")
left_row = st.tuples(
    st.sampled_from((-(2**31), -1, 0, 1, 2**31)),
    st.sampled_from(TEXTS),
    st.integers(-3, 3),
    st.booleans(),
    st.sampled_from((0, 2**31)),
    st.none() | st.integers(-4000, 4000).map(lambda n: n / 4),
)
right_row = st.tuples(
    st.sampled_from((-(2**31), -1, 0, 1, 2**31)),
    st.sampled_from(OTHERS),
    st.integers(-2, 4),
    st.booleans(),
    st.sampled_from((0, 2**31)),
    st.none() | st.integers(-4000, 4000).map(lambda n: n / 4),
)
left_rows, right_rows = st.lists(left_row, max_size=12), st.lists(right_row, max_size=8)


def table(rows, value, group):
    big, word, near, ill, ids, x = list(zip(*rows, strict=True)) or [()] * 6
    kinds = {"big": "int64", "word": "object", "near": "int64", "ill": "bool", "id": "int64", value: "float64"}
    columns = dict(zip(kinds, (big, word, near, ill, ids, x), strict=True))
    made = pd.DataFrame({name: pd.Series(columns[name], dtype=kind) for name, kind in kinds.items()})
    return made.assign(**{group: np.arange(len(made)) % 3})


def shared(engine, one, other, on):
    """Both sides, each of two owners; the right one with one row for each key."""
    left = table([(0, "a", 0, True, 0, 1.5), *one], "x", "g")
    right = table([(1, "d", 4, True, 0, -2.5), *other], "y", "h").drop_duplicates(KEYS[on]).reset_index(drop=True)
    first, *_, last = engine.everyone
    frames = []
    for plain, texts, group in ((left, TEXTS, "g"), (right, OTHERS, "h")):
        half = len(plain) // 2
        held = an.from_pandas(engine, {first: plain[:half], last: plain[half:]}, bounds={"near": 3, group: 2})
        frames.append(held.share(domain={"word": texts}))
    return *frames, left, right


def same(found, expected):
    return found == pytest.approx(expected, rel=1e-11, abs=1e-9, nan_ok=True)


def hold(engine, on, how, one, other):
    some, more, left, right = shared(engine, one, other, on)
    merged, plain = an.merge(some, more, on=KEYS[on], how=how), left.merge(right, on=KEYS[on], how=how)
    assert merged.columns == tuple(plain.columns)
    chosen, meant = (
        merged[(merged["x"] > merged["y"]) | ~(merged["g"] == 1)],
        plain[(plain["x"] > plain["y"]) | ~(plain["g"] == 1)],
    )
    names = ("count", "mean", "std", "max")
    groups = [
        merged.groupby("h", domain=[0, 1, 2])["x"],
        merged.groupby("g", domain=[2, 0])["y"],
        merged.groupby("g")["y"],
    ]
    found = icm.reveal(
        merged.count_rows(),
        chosen.count_rows(),
        *(getattr(frame[column], name)() for frame in (merged, chosen) for column in ("x", "y") for name in names),
        *(group.agg(["count", "sum"]) for group in groups),
    )
    assert found[:2] == (len(plain), len(meant))
    wanted = [getattr(frame[c], name)() for frame in (plain, meant) for c in ("x", "y") for name in names]
    for got, want in zip(found[2:], wanted, strict=False):
        assert same(got, want)
    expected = [plain.groupby("h")["x"], plain[plain["g"] != 1].groupby("g")["y"], plain.groupby("g")["y"]]
    for got, group in zip(found[-3:], expected, strict=True):
        want = group.agg(["count", "sum"])
        pd.testing.assert_frame_equal(got, want, check_dtype=False, check_index_type=False, atol=1e-9)


@pytest.mark.parametrize("on", KEYS)
@given(how=st.sampled_from(["inner", "left"]), one=left_rows, other=right_rows)
@settings(max_examples=2, phases=(Phase.explicit, Phase.generate))
@pytest.mark.few(1)
def test_statistics_are_those_of_pandas(pair, on, how, one, other):
    hold(pair, on, how, one, other)


@given(on=st.sampled_from(sorted(KEYS)), how=st.sampled_from(["inner", "left"]), one=left_rows, other=right_rows)
@settings(max_examples=2, phases=(Phase.explicit, Phase.generate))
@pytest.mark.few(1)
def test_statistics_of_more_owners_and_lanes(engine, on, how, one, other):
    hold(engine, on, how, one, other)


@given(how=st.sampled_from(["inner", "left"]), one=left_rows, other=right_rows)
@settings(max_examples=3, phases=(Phase.explicit, Phase.generate))
def test_chosen_rows_are_merged(pair, how, one, other):
    """Rows that are left out before the merge have no key: not even twice on the right side."""
    one, other = [(1, "a", 0, True, 0, 2.5), *one], [(1, "a", 0, False, 0, None), *other]
    some, more, left, right = shared(pair, one, [*other, *other], "three")
    some, left = some[some["x"] > 0], left[left["x"] > 0]
    more, right = more[~more["ill"]], right[~right["ill"]]
    more, right = more.assign(z=more["y"] * 2), right.assign(z=right["y"] * 2)
    merged, plain = an.merge(some, more, on=["big", "near"], how=how), left.merge(right, on=["big", "near"], how=how)
    found = icm.reveal(merged.count_rows(), merged["x"].sum(), merged["z"].mean(), merged["z"].count())
    assert same(list(found), [len(plain), plain["x"].sum(), plain["z"].mean(), plain["z"].count()])


def frames(engine, many=12, **stated):
    left = pd.DataFrame({"k": np.arange(many) % 4, "x": np.arange(many) * 1.5, "n": np.arange(many)})
    right = pd.DataFrame({"k": [0, 1, 7, 8], "y": [1, 2, 4, 8]})
    held = an.from_pandas(engine, {"alice": left}, **stated), an.from_pandas(engine, {"bob": right})
    return held[0].share(), held[1].share(), left, right


@pytest.mark.parametrize("owners", [("bob",), ("bob", "carol")])
def test_a_key_that_is_twice_on_the_right_side_ends_the_merge(fresh, owners):
    one, *_ = frames(fresh)
    parts = [pd.DataFrame({"k": [1, 2], "y": [1, 2]}), pd.DataFrame({"k": [5, 2], "y": [3, 4]})]
    twice = {owners[0]: pd.concat(parts)} if len(owners) == 1 else dict(zip(owners, parts, strict=True))
    other = an.from_pandas(fresh, twice).share()
    with pytest.raises(BoundExceeded, match="more than one row on the right side"):
        an.merge(one, other, on="k")["y"].sum().reveal()
    assert an.merge(one, other[other["y"] != 4], on="k")["y"].sum().reveal() == 3 * (1 + 2)


def test_policies_of_both_sides_count(fresh):
    every = {"largest": 100, "two_largest": 100}
    policy = icm.Policy(min_rows=4, residual_df=1, operations=("count", "sum", "merge", "quantile"), **every)
    one, other, left, _ = frames(fresh, 16, policy=policy)
    merged = an.merge(one, other, on="k")
    assert merged["x"].sum().reveal() == left[left["k"] < 2]["x"].sum()
    assert isinstance(merged["y"].sum().reveal(), Withheld), "2 right rows are met"
    for refused, says in (
        (an.merge(one[one["n"] < 4], other, on="k").count_rows, "merge whole frames"),
        (merged[merged["y"] < 2].count_rows, "merge whole frames"),
        ((merged["x"] + merged["y"]).sum, "compute with merged columns"),
        (lambda: merged.groupby("n"), "by stated values alone"),
    ):
        with pytest.raises(PolicyError, match=says):
            refused().reveal()
    plain, *_ = frames(fresh, 16, policy=icm.Policy(min_rows=4))
    with pytest.raises(PolicyError, match="has to name it"):
        an.merge(plain, other, on="k").count_rows().reveal()
    few = icm.Policy(min_rows=4, operations=("count", "sum", "merge"))
    one, other, *_ = frames(fresh, 16, policy=few)
    assert isinstance(an.merge(one, other, on="k").count_rows().reveal(), int)
    with pytest.raises(PolicyError, match="what single rows contribute to a sum is not known of merged rows"):
        an.merge(one, other, on="k")["x"].sum().reveal()


@pytest.mark.parametrize("share", [False, True], ids=["held", "shared"])
def test_groups_of_few_right_rows_are_withheld(fresh, share):
    """Of group a four left rows meet two right rows, of group b four meet four: alike of held frames and of shares."""
    policy = icm.Policy(
        min_rows=3, residual_df=1, rows_per_bin=1, operations=("count", "sum", "merge"), largest=100, two_largest=100
    )
    left = pd.DataFrame({"k": [0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9], "g": ["p"] * 4 + ["q"] * 4 + ["z"] * 4, "x": 1.0})
    right = pd.DataFrame({"k": range(16), "y": 2.0})
    parts = [an.from_pandas(fresh, {name: part}, policy=policy) for name, part in (("alice", left), ("bob", right))]
    if share:
        texts = {"g": [*(f"a{n:02}" for n in range(100)), "p", "q", "z"]}  # numbers of groups are beyond those stated
        parts = [parts[0].share(domain=texts), parts[1].share()]
    merged = an.merge(*parts, on="k")
    found = merged.groupby("g", domain=["p", "q", "z"])["y"].agg("sum").reveal()
    assert found.isna().tolist() == [True, True, False], "and one more, by which it would be told"
    assert found["z"] == 8.0


def test_what_cannot_be_is_refused_before_anything_is_asked(fresh):
    one, other, *_ = frames(fresh)
    held = an.from_pandas(fresh, {"bob": pd.DataFrame({"k": [1], "y": [1.5]})})
    gaps = an.from_pandas(fresh, {"bob": pd.DataFrame({"k": [1.0, None], "j": ["a", None], "i": [1, 2]})})
    texts = [[f"{start}{n}" for n in range(200)] for start in ("a", "b")]
    words = [
        an.from_pandas(fresh, {"bob": pd.DataFrame({"t": [text[0]]})}).share(
            domain={"t": sorted({*text, *map(str, range(place, 400, 2))})}
        )
        for place, text in enumerate(texts)
    ]
    gaps, wide = (
        gaps.share(domain={"j": ["a"]}),
        an.from_pandas(fresh, {"bob": pd.DataFrame({"k": [1]})}, bounds={"k": 2.0**59}).share(),
    )
    before = len(fresh.jobs)
    for refused, error, says in (
        (lambda: an.merge(one, held, on="k"), ColumnError, "share both before, or none"),
        (lambda: an.merge(held, one, on="k"), ColumnError, "share both before, or none"),
        (lambda: an.merge(one, other, on="none"), ColumnError, "none"),
        (lambda: an.merge(one, other, on="k", how="outer"), InputError, "'inner' or 'left'"),
        (lambda: an.merge(one, other, on="k", validate="m:m"), InputError, "one row on the right side: swap"),
        (lambda: an.merge(one, gaps, on="k"), ColumnError, "not by float"),
        (lambda: an.merge(gaps, gaps, on="j"), InputError, "may not be missing"),
        (lambda: an.merge(words[0], one, left_on="t", right_on="k"), InputError, "of one kind"),
        (lambda: an.merge(one, wide, on="k"), BoundError, "declare smaller bounds"),
        (lambda: an.merge(*words, on="t"), InputError, "with the same domain="),
        (lambda: an.merge(one, other, on="k")["z"], ColumnError, "no column 'z'"),
        (lambda: an.merge(one, other, on="k").groupby("x"), ColumnError, "whole numbers"),
        (lambda: bool(an.merge(one, other, on="k")), TypeError, "neither true nor false"),
    ):
        with pytest.raises(error, match=says):
            refused()
    assert len(fresh.jobs) == before


def test_what_is_asked_is_explained(fresh):
    one, other, *_ = frames(fresh)
    says = an.merge(one, other, on="k", how="left")["y"].mean().explain()
    assert "merged: left, with 4 rows of bob, on k; which rows match is secret" in says
    assert "sort both sides' rows by key" in says
    assert math.isclose(an.merge(one, other, on="k")["y"].mean().reveal(), 1.5)


@pytest.mark.parametrize("how", ["inner", "left"])
def test_order_statistics_of_merged_rows(pair, how):
    rows = np.arange(40)
    left = pd.DataFrame({"k": rows % 9, "x": (rows * 7 % 40) / 4, "g": rows % 3})
    right = pd.DataFrame({"k": range(2, 12), "y": [4.5, None, 1, 2, 8, 0, 3, 1, 1, 1], "h": [0, 1] * 5})
    first, *_, last = pair.everyone
    some = an.from_pandas(pair, {first: left[:15], last: left[15:]}).share()
    merged = an.merge(some, an.from_pandas(pair, {last: right}).share(), on="k", how=how)
    plain = left.merge(right, on="k", how=how)
    median, several, groups, private, twice = icm.reveal(
        merged["y"].median(),
        merged["x"].quantile([0.1, 0.9]),
        merged.groupby("h", domain=[0, 1])["x"].median(),
        merged.groupby("h")["x"].agg(["median", "sum"]),
        (merged["x"] + merged["y"]).median(),
    )
    assert (median, twice) == (plain["y"].median(), (plain["x"] + plain["y"]).median())
    assert same(several.tolist(), plain["x"].quantile([0.1, 0.9]).tolist())
    expected = plain.groupby("h")["x"].agg(["median", "sum"])
    assert groups.tolist() == expected["median"].tolist()
    assert same(private.to_numpy(), expected.to_numpy())
    held = an.merge(an.from_pandas(pair, {first: left}), an.from_pandas(pair, {last: right}), on="k")
    with pytest.raises(InputError, match="or share both frames before the merge"):
        held["x"].median()
