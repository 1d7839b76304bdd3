"""The first and last rows in an order: pandas' of the pooled rows, by the keys and then by what else is shown."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analytics as an
import icm_ray as icm
from icm_ray.errors import ColumnError, InputError, PolicyError, UnsupportedError

rows = st.tuples(
    st.one_of(st.none(), st.sampled_from([-1.5, 0.0, -0.0, 2.0])),
    st.integers(-2, 2),
    st.one_of(st.none(), st.integers(0, 3)),
    st.booleans(),
)
some = st.lists(rows, max_size=10)
KINDS = {"x": "float64", "n": "int64", "y": "float64", "b": "bool"}


def frames(given_rows):
    columns = list(zip(*given_rows, strict=True)) or [()] * len(KINDS)
    made = {name: pd.Series(list(c), dtype=kind) for (name, kind), c in zip(KINDS.items(), columns, strict=True)}
    return pd.DataFrame(made)


def two(engine, one, other):
    first, second = frames([(2.0, 1, 3, True), *one]), frames(other)
    held = an.from_pandas(engine, dict(zip(engine.everyone, (first, second), strict=False)))
    return held, pd.concat([first, second], ignore_index=True)


def ordered(plain, keys, ascending, shown, position="last"):
    others = [name for name in shown if name not in keys]
    directions = [*ascending, *[True] * len(others)]
    return plain.sort_values([*keys, *others], ascending=directions, na_position=position)[shown]


ASKED = (
    (["n"], [True], ["n", "x", "b"], "last"),
    (["x"], [False], ["x", "y", "n"], "last"),
    (["x", "n"], [True, False], ["y", "x"], "first"),
    (["y"], [True], ["y"], "last"),
)


@given(one=some, other=some, n=st.integers(1, 7))
@settings(max_examples=2)
@pytest.mark.few(1)
def test_of_all_rows(engine, one, other, n):
    held, plain = two(engine, one, other)
    queries, expected = [], []
    for keys, ascending, shown, position in ASKED:
        made = held.sort_values(keys, ascending=ascending, na_position=position)[shown]
        table = ordered(plain, keys, ascending, shown, position)
        queries += [made.head(n), made.tail(n)]
        expected += [table.head(n).reset_index(drop=True), table.tail(n).reset_index(drop=True)]
    for found, wanted in zip(icm.reveal(*queries), expected, strict=True):
        pd.testing.assert_frame_equal(found, wanted)


def test_of_chosen_rows_and_one_column(fresh):
    held, plain = two(fresh, [(1.0, 0, None, True), (None, 2, 1, False)], [(1.0, -1, 2, True)])
    chosen, expected = held[held["n"] < 2], plain[plain["n"] < 2]
    found = chosen.sort_values("n", ascending=False)["x"].head(2).reveal()
    wanted = ordered(expected, ["n"], [False], ["n", "x"])["x"].head(2).reset_index(drop=True)
    pd.testing.assert_series_equal(found, wanted)
    pd.testing.assert_series_equal(
        held["x"].sort_values(ascending=False).head().reveal(),
        plain["x"].sort_values(ascending=False).head().reset_index(drop=True),
    )
    none = held[held["n"] > 9].sort_values("n").head(2).reveal()
    assert list(none.columns) == ["x", "n", "y", "b"]
    assert not len(none)


def test_of_one_column_that_is_shared(fresh):
    held, plain = two(fresh, [(1.0, 0, None, True), (None, 2, 1, False)], [(1.0, -1, 2, True)])
    found = held[["n"]].share().sort_values("n", ascending=False).head(3).reveal()
    assert found["n"].tolist() == sorted(plain["n"], reverse=True)[:3]


def test_values_of_other_kinds_are_given_back_in_kind(fresh):
    table = pa.table(
        {
            "t": pa.array([dt.datetime(2021, 1, 1), dt.datetime(2020, 1, 1), None], pa.timestamp("us")),  # noqa: DTZ001
            "price": pa.array([Decimal("1.10"), Decimal("2.20"), None], pa.decimal128(9, 2)),
            "day": pa.array([dt.date(2020, 1, 1), None, dt.date(2019, 1, 1)]),
        }
    )
    held = an.from_pandas(fresh, {"alice": table[:1], "bob": table[1:]})
    by_time = held.sort_values("t").head(3).reveal()
    assert by_time["t"].tolist() == [pd.Timestamp("2020"), pd.Timestamp("2021"), pd.NaT]
    assert by_time["price"].tolist() == [Decimal("2.20"), Decimal("1.10"), None]
    assert by_time["day"].tolist() == [None, dt.date(2020, 1, 1), dt.date(2019, 1, 1)]
    words = pd.DataFrame({"size": pd.Categorical(["s", "l", None, "m"], ["s", "m", "l"]), "n": [1, 2, 3, 4]})
    sized = an.from_pandas(fresh, {"alice": words[:2], "bob": words[2:]})
    assert sized.sort_values("size", ascending=False)[["n"]].head(3).reveal()["n"].tolist() == [2, 4, 1]
    times = held.sort_values("t", na_position="first")["t"].head(1).reveal()
    assert (times.dtype, times.isna().tolist()) == (by_time["t"].dtype, [True])
    assert sized.sort_values("n")["size"].tail(2).reveal().fillna("?").tolist() == ["?", "m"]


def test_no_more_is_asked_than_is_shown(fresh):
    held, _ = two(fresh, [(1.0, 0, None, True), (1.0, 0, 1, False), (1.0, 0, 1, False)], [])
    query = held.sort_values("x")[["x", "y"]].head(1)
    assert query.explain().splitlines()[0] == "first 1 rows by x; questions that follow find y of these rows"
    assert query.reveal().to_dict("list") == {"x": [1.0], "y": [1.0]}
    assert {name.split("(")[1] for _, name in fresh.revealed()} == {"1 smallest of x)", "1 smallest of y)"}


def test_a_policy_has_to_name_it(fresh):
    plain = {"alice": pd.DataFrame({"x": [*np.arange(30.0), None], "y": range(31)})}
    held = an.from_pandas(fresh, plain, policy=icm.Policy(min_rows=3, operations=("nlargest",)))
    assert held["x"].sort_values(ascending=False).head(3).reveal().tolist() == [29, 28, 27]
    assert held[["x"]].sort_values("x").tail(3).reveal()["x"].tolist() == [27, 28, 29]
    for refused, says in (
        (lambda: held["x"].sort_values().head(3).reveal(), "does not allow nsmallest"),
        (lambda: held["x"].sort_values().tail(2).reveal(), "asks for 3 of them or more"),
        (held.sort_values("x").tail, "rows of a dataset with a policy are not shown"),
    ):
        with pytest.raises(PolicyError, match=says):
            refused()


def test_what_cannot_be_is_refused_before_anything_is_asked(fresh):
    held, _ = two(fresh, [], [])
    wards = pd.DataFrame({"ward": ["a"] * 30})
    shared_words = an.from_pandas(fresh, {"alice": wards}).share(domain={"ward": ["a"]})
    guarded_words = an.from_pandas(fresh, {"alice": wards}, policy=icm.Policy(operations=("nsmallest",)))
    shared = held[["x", "n"]].share()
    fresh.jobs.clear()
    for refused, error, says in (
        (lambda: held.sort_values("z"), ColumnError, "no column 'z'"),
        (lambda: held.sort_values([]), InputError, "one column or more"),
        (lambda: held.sort_values(["x", "n"], ascending=[True]), InputError, "each of them upwards"),
        (lambda: held.sort_values("x", na_position="middle"), InputError, "na_position"),
        (lambda: held["x"].sort_values(ascending=[True]), InputError, "upwards"),
        (lambda: held.sort_values("x").head(0), InputError, "1 to 100 rows"),
        (lambda: held.sort_values("x")["z"], ColumnError, "no column 'z'"),
        (shared_words["ward"].sort_values().head, ColumnError, "text, which is not shown of shared rows"),
        (guarded_words["ward"].sort_values().head, PolicyError, "text of a dataset with a policy is not shown"),
        (shared.sort_values("x").head, ColumnError, "before .share"),
        (lambda: held.sort_values("x").iloc, UnsupportedError, "by their places"),
    ):
        with pytest.raises(error, match=says):
            refused()
    assert not fresh.jobs


TEXTS = ["", "a", "a\0", "aa", "abcdefg", "abcdefgh", "abcdefghijklmnop", "zé", "é", None, "abcdefg", "abcdefghijklmno"]


@pytest.mark.slow
def test_by_private_text(fresh):
    plain = pd.DataFrame({"word": TEXTS, "n": np.arange(len(TEXTS)) % 3})
    held = an.from_pandas(fresh, {"alice": plain[::2], "carol": plain[1::2]})
    orders = [("last", True, 12), ("first", False, 4), ("last", False, 7)]
    found = icm.reveal(
        *(held.sort_values("word", ascending=up, na_position=place).head(n) for place, up, n in orders),
        held.sort_values("n")[["n", "word"]].tail(3),
        held["word"].sort_values().head(2),
        held["word"].sort_values(na_position="first").head(1),
    )
    for (place, up, n), table in zip(orders, found, strict=False):
        expected = plain.sort_values(["word", "n"], ascending=[up, True], na_position=place, ignore_index=True).head(n)
        pd.testing.assert_frame_equal(table, expected, check_dtype=False)
    expected = plain.sort_values(["n", "word"], ignore_index=True)[["n", "word"]].tail(3).reset_index(drop=True)
    pd.testing.assert_frame_equal(found[3], expected, check_dtype=False)
    assert found[4].tolist() == ["", "a"]
    expected = plain["word"].sort_values(na_position="first", ignore_index=True).head(1)
    pd.testing.assert_series_equal(found[5], expected)  # missing text alone is text
