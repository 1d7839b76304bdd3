"""Order statistics and numbers of different values of groups, of rows that owners hold, share or merge: as pandas."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analytics as an
from icm_ray.errors import ColumnError, InputError, PolicyError
from tests.analytics.keyed_rows import table
from tests.analytics.test_shared_groups import COLUMNS, POLICY, TEXTS, shared, some

NEAR = {"near": range(-2, 3)}
GROUPS = {
    "few public": (["word"], {}),
    "stated": (["near"], NEAR),
    "many public": (["near"], {"near": [*range(-3, 300), 2**40]}),
    "private": (["near"], None),
    "both private": (["near", "word"], None),
    "large private": (["big"], None),
}
QS = [0.5, 0.1, 0.9]
ASKED = {
    "median": lambda groups: groups["x"].median(),
    "quantiles": lambda groups: groups["x"].quantile(QS),
    "of several columns": lambda groups: groups[["x", "near"]].quantile([0.25, 0.75], interpolation="lower"),
    "nearest": lambda groups: groups["big"].quantile(0.4, interpolation="nearest"),
    "ends": lambda groups: groups[["x", "ill"]].agg(["min", "max", "count"]),
    "named": lambda groups: groups.agg(low=("x", "min"), middle=("x", "median"), kinds=("near", "nunique")),
    "different values": lambda groups: groups[["big", "word", "ill"]].nunique(),
    "described": lambda groups: groups["x"].describe(),
}


def same(found, expected):
    compare = pd.testing.assert_series_equal if expected.ndim == 1 else pd.testing.assert_frame_equal
    compare(found, expected, check_index_type=False, check_dtype=False, rtol=1e-12, atol=1e-9)
    assert not found.attrs["withheld"]


def hold(frame, plain, how, asked=tuple(ASKED)):
    by, domain = GROUPS[how]
    groups = frame.groupby(by, domain=domain) if domain else frame.groupby(by)
    stated = plain[plain[by[0]].isin(list(domain[by[0]]))] if domain else plain
    keys = by if len(by) > 1 else by[0]
    for name in asked:
        if not (by == ["near"] and name == "of several columns"):
            same(ASKED[name](groups).reveal(), ASKED[name](stated.groupby(keys)))


@pytest.mark.parametrize("how", GROUPS)
@given(one=some, other=some)
@settings(max_examples=1)
@pytest.mark.few(3)
def test_of_shared_rows(pair, how, one, other):
    frame, plain = shared(pair, one, other)
    hold(frame, plain, how, ["quantiles", "ends", "different values"] if how == "many public" else [*ASKED])


@given(one=some, other=some, how=st.sampled_from(["few public", "stated", "private"]), name=st.sampled_from([*ASKED]))
@settings(max_examples=3)
@pytest.mark.few(1)
def test_of_chosen_shared_rows_of_more_owners_and_lanes(engine, one, other, how, name):
    frame, plain = shared(engine, one, other)
    chosen = plain["ill"] | (plain["near"] < 2)
    hold(frame[frame["ill"] | (frame["near"] < 2)], plain[chosen], how, [name])


@given(one=some, other=some, how=st.sampled_from([*GROUPS]), name=st.sampled_from([*ASKED]))
@settings(max_examples=4)
def test_of_rows_that_owners_hold(engine, one, other, how, name):
    parts = [table(rows, COLUMNS) for rows in ([(1.5, 0, 0, "a", True), *one], other)]
    frame = an.from_pandas(engine, dict(zip(engine.everyone[-2:], parts, strict=True)), bounds={"near": 3})
    if GROUPS[how][0] == ["word"]:
        plain = pd.concat(parts, ignore_index=True)
        same(ASKED[name](frame.groupby("word", domain=TEXTS)).reveal(), ASKED[name](plain.groupby("word")))
    else:
        hold(frame, pd.concat(parts, ignore_index=True), how, [name])


def test_numbers_of_different_values_of_all_kinds(pair):
    day = pd.to_datetime(["2024-01-01", "2024-01-01", None, "2024-02-01", "2024-01-01", "2024-03-01"])
    plain = pd.DataFrame({"k": [0, 0, 0, 1, 1, 1], "x": [0.0, -0.0, np.nan, 1.5, 1.5, 2.5], "day": day})
    frame = an.from_pandas(pair, {"alice": plain[:4], "bob": plain[4:]})
    for groups in (frame.groupby("k"), frame.groupby("k", domain=[0, 1]), frame.groupby("k", domain=range(400))):
        same(groups.nunique().reveal(), plain.groupby("k").nunique())
    same(frame.groupby("k", as_index=False)["x"].quantile(QS).reveal(),
         plain.groupby("k", as_index=False)["x"].quantile(QS))  # fmt: skip
    skewed = frame.groupby("k")["x"].skew().reveal()
    same(skewed, plain.groupby("k")["x"].skew())


def test_extremes_of_merged_rows_in_private_groups(pair):
    left = pd.DataFrame({"k": [0, 1, 2, 2, 3, 9], "x": [1.5, -2.0, 7.0, np.nan, 4.0, 99.0]})
    right = pd.DataFrame({"k": [0, 1, 2, 3], "code": [5, 5, 7, 8], "y": [3, -1, 0, 2]})
    merged = an.merge(an.from_pandas(pair, {"alice": left}), an.from_pandas(pair, {"bob": right}), on="k")
    plain = left.merge(right, on="k").groupby("code")
    groups = merged.groupby("code")
    same(groups.agg({"x": ["min", "sum"], "y": ["max"]}).reveal(), plain.agg({"x": ["min", "sum"], "y": ["max"]}))
    described = groups["x"].describe().reveal()
    pd.testing.assert_frame_equal(described.dropna(axis=1, how="all"),
                                  plain["x"].describe()[["count", "mean", "std", "min", "max"]])  # fmt: skip
    assert "merged rows have" in described.attrs["withheld"][0]


@pytest.mark.slow
def test_policies_hold_in_groups_of_shared_rows(fresh):
    sizes = {1: 12, 2: 9, 3: 11, -1: 3}
    rows = [(float(n * n), 0, key, "a", True) for key, count in sizes.items() for n in range(count)]
    frame, plain = shared(fresh, rows[:20], rows[20:], policy=POLICY)
    fresh.jobs.clear()
    for refused, says in (
        (frame.groupby("near", domain=NEAR["near"])["x"].max, "max"),
        (frame.groupby("near", domain=NEAR["near"])["big"].nunique, "few rows have"),
        (frame.groupby("near")["x"].min, "min"),
    ):
        with pytest.raises(PolicyError, match=says):
            refused().reveal()
    assert not fresh.jobs
    medians = plain.groupby("near")["x"].median()
    found = frame.groupby("near", domain=range(-1, 4))["x"].median().reveal()
    assert found.dropna().to_dict() == medians.loc[[1, 3]].to_dict(), "5 on either side of a median: 10 rows"
    assert len(found.withheld) == 3, "0 has one row"
    private = frame.groupby("near")["x"].median().reveal()
    assert private.dropna().to_dict() == medians.loc[[1, 3]].to_dict()
    assert private.index.tolist() == [1, 3], "-1 and 0 have 4 rows together, so 2 is left out with them"


def test_what_is_not_offered_is_refused_before_anything_is_shared(fresh):
    rows = [(1.0, number, number % 4, "b", True) for number in range(6)]
    frame, _ = shared(fresh, rows, rows)
    held = an.from_pandas(fresh, {"alice": table(rows, COLUMNS)}, bounds={"near": 3})
    merged = an.merge(held, an.from_pandas(fresh, {"bob": table(rows[:3], COLUMNS)[["big", "near"]]}), on="big")
    fresh.jobs.clear()
    for refused, error, says in (
        (frame.groupby("near")["x"].nunique, ColumnError, "not of float"),
        (frame.groupby("word")["x"].nunique, ColumnError, "not of float"),
        (frame.groupby("near")["x"].skew, ColumnError, "of shares that is not offered"),
        (lambda: frame.groupby("near")["x"].quantile([0.5, 1.5]), InputError, "not at 1.5"),
        (lambda: frame.groupby("near")["x"].quantile([]), InputError, "1 to 128"),
        (lambda: frame.groupby("near")["x"].quantile("0.5"), InputError, "not at '0'"),
        (lambda: frame.groupby("near")["x"].quantile(0.5, interpolation="cubic"), InputError, "interpolation is one"),
        (lambda: frame.groupby("near")["x"].agg("mode"), InputError, "no aggregate 'mode'"),
        (merged.groupby("near_y")["x"].median, InputError, "merged rows have"),
        (merged.groupby("near_y")["ill"].nunique, InputError, "that is not offered"),
    ):
        with pytest.raises(error, match=says):
            refused().reveal()
    assert not fresh.jobs
