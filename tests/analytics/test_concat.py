"""Frames one below the other: statistics are pandas' of the concatenated rows."""

import gc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

import analytics as an
import icm_ray as icm
from icm_ray.errors import BoundError, ColumnError, InputError, PolicyError
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
@pytest.mark.slow
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


@pytest.mark.slow
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


def on_shares(frame, plain):
    """What is asked of shared rows is as near to pandas as shares are."""
    sums, least, counts, groups, bins = icm.reveal(
        frame[["x", "n"]].mean(),
        frame["n"].min(),
        frame["b"].value_counts(sort=False),
        frame[frame["n"] > 0].groupby("ward", domain=WARDS)["x"].sum(),
        frame["x"].histogram(bins=[0, 1, 2, 4]),
    )
    chosen = plain[plain["n"] > 0]
    pd.testing.assert_series_equal(sums, plain[["x", "n"]].mean(), rtol=1e-4)
    assert least == plain["n"].min()
    assert counts.to_dict() == plain["b"].value_counts().to_dict()
    pd.testing.assert_series_equal(groups, chosen.groupby("ward")["x"].sum(), rtol=1e-4, check_names=False)
    assert bins[0].tolist() == np.histogram(plain["x"].dropna(), [0, 1, 2, 4])[0].tolist()


def test_shared_frames_and_shares_of_a_pool(engine):
    held, plain = pieces(engine, [(None, 5, 2.0, True, "a")], [(0.5, -5, None, False, "b"), (3.75, 9, 1.0, True, "b")])
    columns, domain = ["x", "n", "b", "ward"], {"ward": WARDS}
    on_shares(an.concat([frame[columns].share(domain=domain) for frame in held]), plain)
    on_shares(an.concat(held)[columns].share(domain=domain), plain)


def test_shares_of_other_kinds_and_of_chosen_rows(fresh):
    one, other = pd.DataFrame({"x": [1, 2], "y": [0.5, 2]}), pd.DataFrame({"x": [0.5, None], "y": [8.0, 16]})
    frame = an.concat([an.from_pandas(fresh, {"alice": one}), an.from_pandas(fresh, {"bob": other}, bounds={"y": 16})])
    plain = pd.concat([one, other])
    shared = frame[frame["y"] > 1].share()
    assert shared["x"].sum().reveal() == plain["x"][plain["y"] > 1].sum()
    mixed = an.concat(
        [an.from_pandas(fresh, {"alice": one[["x"]]}).share(), an.from_pandas(fresh, {"bob": other[["x"]]}).share()]
    )
    assert mixed.dtypes == {"x": "float"}
    assert icm.reveal(mixed["x"].mean(), mixed["x"].max(), (mixed["x"] * 2).sum()) == pytest.approx(
        (3.5 / 3, 2, 7), abs=1e-3
    )


def test_what_cannot_be_is_refused(fresh):
    (one, other), _ = pieces(fresh, [], [])
    shared, bounded = one[["x"]].share(), an.from_pandas(fresh, {"bob": pd.DataFrame({"x": [1.5]})}, bounds={"x": 4})
    text = [frame[["ward"]].share(domain={"ward": words}) for frame, words in ((one, [*"abc"]), (other, [*"ab"]))]
    finer = bounded.share()
    part = other[other["b"]][["x"]].share()
    fresh.jobs.clear()
    for refused, error, says in (
        (lambda: an.concat(one), InputError, "a list of frames"),
        (lambda: an.concat([]), InputError, "no frames"),
        (lambda: an.concat([one, pd.DataFrame()]), InputError, "DataFrame is none"),
        (lambda: an.concat([one, one]), InputError, "each of them once"),
        (lambda: an.concat([shared, shared]), InputError, "each of them once"),
        (lambda: an.concat([one, other[["x"]]]), ColumnError, "frame 2 has no column 'n', which frame 1 has"),
        (lambda: an.concat([one[["x"]], other]), ColumnError, "frame 1 has no column 'n', which frame 2 has"),
        (lambda: an.concat([one, other[other["b"]]]), InputError, "concat, then filter"),
        (lambda: an.concat([one, other.assign(x=other["n"])]), InputError, "'x' is computed or named otherwise"),
        (lambda: an.concat([other[["x"]], shared]), ColumnError, "with shared ones"),
        (lambda: an.concat([shared, part]), InputError, "concat, then filter"),
        (lambda: an.concat([shared, finer]), BoundError, "same bounds="),
        (lambda: an.concat(text), ColumnError, "same domain="),
        (an.concat([one, other])[["ward"]].share, ColumnError, "text is shared as"),
    ):
        with pytest.raises(error, match=says):
            refused()
    assert not fresh.jobs


def guarded(engine, *frames, **rules):
    return [an.from_pandas(engine, {"alice": plain}, policy=icm.Policy(**rules)) for plain in frames]


MINE = pd.DataFrame({"x": np.arange(40.0) + 100, "k": [0] * 20 + [1] * 17 + [2] * 3, "n": np.arange(40)})
KNOWN = pd.DataFrame({"x": np.arange(60.0), "k": np.repeat([0, 2, 3], 20), "n": np.arange(60)})


@pytest.mark.parametrize("how", ["held", "shared", "shared together"])
@pytest.mark.few(1)
def test_each_policy_holds_for_its_own_rows(fresh, how):
    """Who knows the others' rows learns of one frame what its policy shows of it alone."""

    def asked(question):
        frames = [*guarded(fresh, MINE), an.from_pandas(fresh, {"bob": KNOWN})]
        pool = an.concat([frame.share() for frame in frames] if how == "shared" else frames)
        return question(pool.share() if how == "shared together" else pool).reveal()

    plain = pd.concat([MINE, KNOWN])
    assert asked(lambda pool: pool["x"].mean()) == pytest.approx(plain["x"].mean())
    assert asked(lambda pool: pool[pool["n"] < 20]["x"].sum()) == pytest.approx(plain["x"][plain["n"] < 20].sum())
    assert isinstance(asked(lambda pool: pool[pool["n"] >= 37]["x"].sum()), icm.Withheld)
    assert isinstance(asked(lambda pool: (pool["n"] >= 38).sum()), icm.Withheld)
    groups = asked(lambda pool: pool.groupby("k", domain=[0, 1, 2, 3])["x"].count())
    assert groups.dropna().to_dict() == {0: 40, 3: 20}  # without 1 the total of the frame would tell 2
    counts, _ = asked(lambda pool: pool["x"].histogram(bins=[0, 20, 60, 100, 120, 137, 140]))
    assert counts.mask.tolist() == [False] * 4 + [True] * 2
    assert counts[:4].tolist() == [20, 40, 0, 20]


def test_the_question_is_in_the_ledger_of_each(fresh):
    rows = pd.DataFrame({"x": np.arange(100.0), "n": np.arange(100)})
    one, other = guarded(fresh, rows, rows + 7)
    pool = an.concat([one, other])
    chosen = pool[pool["n"] >= 50]["x"]
    assert (
        chosen.mean().reveal()
        == chosen.mean().reveal()
        == pytest.approx(pd.concat([rows, rows + 7]).query("n >= 50")["x"].mean())
    )
    for frame in (one, other):
        with pytest.raises(PolicyError, match="fewer than 10 rows are the difference"):
            frame[frame["n"] >= 51]["x"].mean().reveal()
    assert one[one["n"] >= 20].count_rows().reveal() == 80
    with pytest.raises(PolicyError, match="fewer than 10 rows are the difference"):
        pool[pool["n"] >= 21].count_rows().reveal()


def test_the_strictest_rules_hold(fresh):
    rows = pd.DataFrame({"x": np.arange(30.0), "w": ["a", "b"] * 15})
    one, other = (
        *guarded(fresh, rows, operations=("count", "sum", "mean", "median", "nunique"), recipients=("bob", "alice")),
        *guarded(fresh, rows, min_rows=20, recipients=("bob", "carol")),
    )
    pool, more = an.concat([one, other]), an.from_pandas(fresh, {"bob": pd.DataFrame({"w": ["a", "b"]})})
    assert pool["x"].sum().reveal(to="bob") == 2 * rows["x"].sum()
    few = pool.groupby("w", domain=["a", "b"])["x"].sum().reveal(to="bob")
    assert few.isna().all()
    fresh.jobs.clear()
    for asked, says in (
        (lambda: pool["x"].sum().reveal(to="alice"), "but bob"),
        (lambda: pool["x"].std().reveal(to="bob"), "does not allow std"),
        (lambda: pool["x"].median().reveal(to="bob"), "ask it of each frame alone"),
        (lambda: pool["w"].nunique(domain=["a", "b"]).reveal(to="bob"), "ask it of each frame alone"),
        (lambda: pool.groupby("w")["x"].sum().reveal(to="bob"), "state domain="),
        (lambda: an.merge(pool, more, on="w")["x"].sum().reveal(to="bob"), "merge each of them alone"),
        (
            lambda: (
                an.concat([one, an.from_pandas(fresh, {"bob": rows[:5]}, policy=icm.Policy())])["x"]
                .sum()
                .reveal(to="bob")
            ),
            "5 rows behind it",
        ),
    ):
        with pytest.raises(PolicyError, match=says):
            asked()
    assert not fresh.jobs
