"""Frames one below the other: statistics are pandas' of the concatenated rows."""

import gc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

import analytics as an
import icm_ray as icm
from icm_ray.errors import ColumnError, InputError, PolicyError, UnsupportedError
from icm_ray.query.pool import Pool, pooled
from tests.analytics.test_frame_statistics import frames, same, some

WARDS = ["a", "b"]
FIRST = [(1.5, 1, 7.5, True, "a"), (2.5, 0, -7.5, False, "b")]


def pieces(engine, *rows):
    """Frames of one and of two owners, the first in both; and all rows in pandas."""
    plain = [frames([*FIRST, *some_rows]) for some_rows in rows]
    last = engine.everyone[-1]
    held = [
        an.from_pandas(engine, {"alice": plain[0]}),
        an.from_pandas(engine, {"alice": plain[1][:1], last: plain[1][1:]}),
    ]
    return held, pd.concat(plain, ignore_index=True)


@given(one=some, other=some)
@settings(max_examples=2)
def test_statistics_of_all_rows(engine, one, other):
    held, plain = pieces(engine, one, other)
    frame = an.concat(held)
    assert (len(frame), frame.columns, sum(frame.owners.values())) == (len(plain), tuple(plain.columns), len(plain))
    chosen, expected = frame[frame["b"]].assign(z=frame["x"] * 2), plain[plain["b"]].assign(z=plain["x"] * 2)
    described, mean, counts, groups, least, rows = icm.reveal(
        frame.describe(),
        chosen.mean(),
        frame["ward"].value_counts(domain=WARDS, sort=False),
        chosen.groupby("ward", domain=WARDS)[["x", "n"]].agg(["count", "sum"]),
        frame["n"].nsmallest(3),
        chosen.count_rows(),
    )
    same(described, plain.describe())
    same(mean, expected.mean(numeric_only=True))
    same(counts, plain["ward"].value_counts(sort=False).sort_index())
    same(groups, expected.groupby("ward")[["x", "n"]].agg(["count", "sum"]))
    assert least.tolist() == sorted(plain["n"])[:3]
    assert rows == len(expected)


def test_private_keys_merges_and_sql(fresh):
    held, plain = pieces(fresh, [(None, 5, 2.0, True, "c")], [(0.5, 5, None, True, "c")])
    frame = an.concat(held)
    plain["ward"] = plain["ward"].fillna("?")
    found = frame.groupby(frame["ward"].fillna("?"))["n"].sum().reveal()
    assert found.to_dict() == plain.groupby("ward")["n"].sum().to_dict()
    more = an.from_pandas(fresh, {"bob": pd.DataFrame({"n": [0, 5], "beds": [10, 20]})})
    assert an.merge(frame, more, on="n")["beds"].sum().reveal() == 60
    assert an.sql("SELECT SUM(n) AS s FROM v WHERE b", v=frame).reveal()["s"][0] == plain["n"][plain["b"]].sum()


def test_three_frames_and_frames_that_are_concatenated_already(fresh):
    parts = [an.from_pandas(fresh, {"bob": pd.DataFrame({"x": [number]})}) for number in (1, 2.5, 4)]
    nested = an.concat([an.concat(parts[:2]), parts[2]])
    assert nested.dtypes == an.concat(parts).dtypes == {"x": "float"}
    assert nested["x"].sum().reveal() == an.concat(parts)["x"].sum().reveal() == 7.5


def test_kinds_are_agreed_on_as_those_of_owners(fresh):
    one = an.from_pandas(
        fresh, {"alice": pd.DataFrame({"x": [1, 2], "w": ["a", "b"], "t": pd.to_datetime(["2020"] * 2)})}
    )
    other = an.from_pandas(
        fresh, {"bob": pd.DataFrame({"t": pd.array(["2021"], "datetime64[ns]"), "x": [0.5], "w": [3]})}
    )
    frame = an.concat([one, other])
    assert frame.columns == ("x", "w", "t")
    assert frame["x"].mean().reveal() == pytest.approx(3.5 / 3)
    assert frame["t"].max().reveal() == pd.Timestamp("2021")
    with pytest.raises(ColumnError, match="'w' is string in frame 1 and int in frame 2"):
        _ = frame["w"]


def test_the_same_computed_columns_and_chosen_rows_stay(fresh):
    held, plain = pieces(fresh, [], [])
    made = an.concat([frame[frame["b"]].assign(z=frame["n"] + 1) for frame in held])
    assert made["z"].sum().reveal() == (plain["n"] + 1)[plain["b"]].sum()


def test_rows_live_as_long_as_a_frame_of_them(fresh):
    held, plain = pieces(fresh, [], [])
    frame = an.concat(held)
    an.concat(held).forget()
    del held
    gc.collect()
    assert frame["n"].sum().reveal() == plain["n"].sum()
    held, _ = pieces(fresh, [], [])
    frame = an.concat(held)
    held[1].forget()
    with pytest.raises(InputError, match="were forgotten"):
        frame["n"].sum().reveal()


def test_what_cannot_be_is_refused(fresh):
    (one, other), _ = pieces(fresh, [], [])
    guarded = an.from_pandas(fresh, {"alice": frames(FIRST)}, policy=icm.Policy())
    shared = one[["x"]].share()
    fresh.jobs.clear()
    for refused, error, says in (
        (lambda: an.concat(one), InputError, "a list of frames"),
        (lambda: an.concat([]), InputError, "no frames"),
        (lambda: an.concat([one, pd.DataFrame()]), InputError, "DataFrame is none"),
        (lambda: an.concat([one, one]), InputError, "each of them once"),
        (lambda: an.concat([one, other[["x"]]]), ColumnError, "frame 2 has no column 'n', which frame 1 has"),
        (lambda: an.concat([one[["x"]], other]), ColumnError, "frame 1 has no column 'n', which frame 2 has"),
        (lambda: an.concat([one, other[other["b"]]]), InputError, "concat, then filter"),
        (lambda: an.concat([one, other.assign(x=other["n"])]), InputError, "'x' is computed or named otherwise"),
        (lambda: an.concat([one, guarded]), PolicyError, "with a policy are not concatenated"),
        (lambda: an.concat([one[["x"]], shared]), ColumnError, "before .share"),
        (an.concat([one, other]).share, UnsupportedError, "not shared"),
    ):
        with pytest.raises(error, match=says):
            refused()
    assert not fresh.jobs


def test_a_driver_cannot_pool_rows_that_a_policy_guards(fresh):
    guarded = an.from_pandas(fresh, {"alice": pd.DataFrame({"x": np.arange(20.0)})}, policy=icm.Policy())
    free = an.from_pandas(fresh, {"bob": pd.DataFrame({"x": [1.0]})})
    facts = [frame.meant.dataset.facts for frame in (guarded, free)]
    with pytest.raises(PolicyError, match="not concatenated"):
        pooled(Pool(tuple(one.name for one in facts)), facts)
