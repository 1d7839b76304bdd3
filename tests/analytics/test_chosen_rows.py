"""Expressions, conditions, missing values and groups: what pandas finds on the pooled rows."""

import math
from contextlib import ExitStack

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analytics as an
import icm_ray as icm
from icm_ray.errors import BoundError, ColumnError, InputError, NullError, PolicyError
from icm_ray.query.withheld import Withheld
from tests.analytics.conftest import SETUPS, engine_of, maybe_slow

NAN = math.nan
WARDS = ("a", "b", "c")
STATISTICS = ("count", "sum", "mean", "var", "std", "min", "max", "median")
ON_SHARES = tuple(name for name in STATISTICS if name != "median")


def frames(rows):
    """Rows as a frame of each kind of column."""
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    return pd.DataFrame(
        {
            "x": pd.Series(columns[0], dtype="float64"),
            "n": pd.Series(columns[1], dtype="int64"),
            "ward": pd.Series(columns[2], dtype="object"),
            "ill": pd.Series(columns[3], dtype="bool"),
        }
    )


rows = st.tuples(
    st.one_of(st.none(), st.floats(-1e6, 1e6)),
    st.integers(-(2**31), 2**31),
    st.sampled_from((*WARDS, None)),
    st.booleans(),
)
some = st.lists(rows, max_size=12)


def split(engine, shared, one, other):
    """A frame of the rows of two owners, and pandas' of all of them; what is shared has 16 fractional bits."""
    first, second = frames([("1.5", 1, "a", True), *one]), frames(other)
    if shared:
        first, second = (frame.assign(x=(frame["x"] * 2**16).round() / 2**16) for frame in (first, second))
    held = an.from_pandas(engine, dict(zip(engine.everyone, (first, second), strict=False)))
    plain = pd.concat([first, second], ignore_index=True)
    return held.share(domain={"ward": WARDS}) if shared else held, plain


PLACES = {f"held, {setup}": (setup, False) for setup in SETUPS} | {
    f"shared, {setup}": (setup, True) for setup in ("two parties", "three parties, an owner outside, two lanes")
}


@pytest.fixture(scope="module")
def places():
    """An engine of each place, started when it is first asked for, and whether rows are shared there."""
    started = {}
    with ExitStack() as opened:

        def at(name):
            setup, shared = PLACES[name]
            if setup not in started:
                started[setup] = opened.enter_context(engine_of(setup))
            return started[setup], shared

        yield at


SMALL = [name for name, (setup, _) in PLACES.items() if setup == "two parties"]
"""Where every form is tried; in the others, some of them."""


@pytest.fixture(scope="module", params=SMALL)
def small(request, places):
    return places(request.param)


@pytest.fixture(scope="module", params=[maybe_slow(name, setup) for name, (setup, _) in PLACES.items()])
def place(request, places):
    return places(request.param)


def same(found, expected):
    return found == pytest.approx(expected, rel=1e-12, abs=1e-9, nan_ok=True)


CONDITIONS = {
    "above": lambda frame: frame["x"] > 0.5,
    "not above": lambda frame: ~(frame["x"] > 0.5),
    "unequal": lambda frame: frame["x"] != 1.5,
    "both": lambda frame: (frame["n"] <= 3) & (frame["ward"] == "a"),
    "either": lambda frame: (frame["ward"] != "b") | frame["ill"],
    "listed": lambda frame: frame["ward"].isin(["a", "c"]),
    "missing": lambda frame: frame["x"].isna() | frame["ward"].isna(),
    "computed": lambda frame: frame["x"] * 2 - frame["n"] > 1,
    "none": lambda frame: frame["n"] > 2**40,
}


def hold_chosen(place, name, one, other):
    held, plain = split(*place, one, other)
    asked = STATISTICS
    chosen, expected = held[CONDITIONS[name](held)], plain[CONDITIONS[name](plain)]
    queries = [getattr(chosen[column], statistic)() for column in ("x", "n") for statistic in asked]
    found = icm.reveal(*queries, chosen.count_rows(), chosen["ward"].count())
    wanted = [getattr(expected[column], statistic)() for column in ("x", "n") for statistic in asked]
    for query, got, want in zip(queries, found, wanted, strict=False):
        assert same(got, want), query
    assert found[-2:] == (len(expected), expected["ward"].count())


@pytest.mark.parametrize("name", CONDITIONS)
@given(one=some, other=some)
@settings(max_examples=3)
@pytest.mark.few(4)
def test_of_chosen_rows(small, name, one, other):
    hold_chosen(small, name, one, other)


@given(name=st.sampled_from(sorted(CONDITIONS)), one=some, other=some)
@settings(max_examples=6)
@pytest.mark.few(2)
def test_of_rows_chosen_anywhere(place, name, one, other):
    hold_chosen(place, name, one, other)


EXPRESSIONS = {
    "sum": lambda frame: frame["x"] + frame["n"],
    "product": lambda frame: 3 * frame["n"] - 1,
    "quotient": lambda frame: frame["x"] / 4,
    "of booleans": lambda frame: frame["ill"] + 1,
    "negated": lambda frame: abs(-frame["n"]),
    "filled": lambda frame: frame["x"].fillna(-2.0),
    "compared": lambda frame: frame["x"] >= frame["n"],
}


def hold_expression(place, name, one, other):
    held, plain = split(*place, one, other)
    column, expected = EXPRESSIONS[name](held), EXPRESSIONS[name](plain)
    for got, want in zip(
        icm.reveal(column.count(), column.sum(), column.mean(), column.std()),
        (expected.count(), expected.sum(), expected.mean(), expected.std()),
        strict=True,
    ):
        assert same(got, want)


@pytest.mark.parametrize("name", EXPRESSIONS)
@given(one=some, other=some)
@settings(max_examples=4)
@pytest.mark.few(6)
def test_of_expressions(small, name, one, other):
    hold_expression(small, name, one, other)


@given(name=st.sampled_from(sorted(EXPRESSIONS)), one=some, other=some)
@settings(max_examples=6)
def test_of_expressions_anywhere(place, name, one, other):
    hold_expression(place, name, one, other)


@given(one=some, other=some)
@settings(max_examples=3)
def test_groups(place, one, other):
    held, plain = split(*place, one, other)
    asked = list(ON_SHARES if held.shared else STATISTICS)
    groups = held[held["n"] > -5].groupby(["ward", "ill"], domain={"ward": [*WARDS, "none has it"]})
    plain_groups = plain[plain["n"] > -5].groupby(["ward", "ill"])
    found, sizes = icm.reveal(groups[["x", "n"]].agg(asked), groups.size())
    expected = plain_groups[["x", "n"]].agg(asked)
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, check_index_type=False, rtol=1e-12, atol=1e-9)
    pd.testing.assert_series_equal(sizes, plain_groups.size(), check_index_type=False)


@pytest.mark.parametrize("shared", [False, True], ids=["held", "shared"])
def test_assigned_columns(fresh, shared):
    held, plain = split(fresh, shared, [(2.0, 5, "b", False)], [(None, 7, "a", True)])
    both = {"twice": lambda frame: frame["n"] * 2, "more": lambda frame: frame["twice"] + frame["x"]}
    made, expected = held.assign(**both, one=1), plain.assign(**both, one=1)
    assert made.columns == tuple(expected.columns)
    assert made.dtypes["more"] == "float"
    for name in ("twice", "more", "one"):
        assert made[name].sum().reveal() == expected[name].sum()
    assert made[made["twice"] > 4]["more"].max().reveal() == 12.0


def test_several_statistics_of_chosen_rows_share_what_serves_them(fresh):
    held, _ = split(fresh, False, [(2.0, 5, "b", False)], [(None, 7, "a", True)])
    chosen = held[held["ill"]]
    fresh.jobs.clear()
    icm.reveal(chosen["x"].mean(), chosen["x"].std(), chosen["x"].sum())
    inputs = [node.op.name for job in fresh.jobs for node in job.program.nodes if type(node.op).__name__ == "Input"]
    assert len(inputs) == 6, "count, sum and squares of each owner"


def test_small_groups_are_withheld_on_shares(fresh):
    source = pd.DataFrame({"x": np.arange(30.0), "ward": ["a"] * 14 + ["c"] * 10 + ["b"] * 3 + ["d"] * 3})
    policy = icm.Policy(min_rows=5, operations=("count", "sum", "mean", "max"))
    held = an.from_pandas(fresh, {"alice": source[:10], "bob": source[10:]}, policy=policy)
    found = held.groupby("ward", domain={"ward": ["a", "b", "c", "d"]})["x"].agg(["sum", "mean"]).reveal()
    assert found.loc["a"].tolist() == [91.0, 6.5]
    assert found.loc["c"].tolist() == [185.0, 18.5]
    assert found.loc[["b", "d"]].isna().all(axis=None)
    assert len(found.attrs["withheld"]) == 2
    few = held[held["x"] > 26]["x"].mean().reveal()
    assert isinstance(few, Withheld)
    with pytest.raises(PolicyError, match="withheld: mean of x"):
        float(few)
    assert held[held["x"] >= 19]["x"].max().reveal() == 29.0
    job = fresh.jobs[-1]
    opened = {node.op.name.split()[1] for node in job.program.nodes if type(node.op).__name__ == "Reveal"}
    assert opened == {"apart", "enough", "max"}, "the number of rows stays closed"


def test_what_cannot_be_is_refused_before_anything_is_asked(fresh):
    held, _ = split(fresh, False, [(2.0, 5, "b", False)], [])
    other, _ = split(fresh, False, [], [])
    for refused, error, says in (
        (lambda: held["ward"] + 1, ColumnError, r"ward \+ 1: \+ takes numbers, not string"),
        (lambda: held["ward"] > 3, ColumnError, "ward > 3: > takes values of one kind, not int and string"),
        (lambda: held[held["x"]], ColumnError, "x: rows are chosen by a condition, not by float"),
        (lambda: held["x"] & True, ColumnError, "& takes conditions, not float"),
        (lambda: held["x"] + other["x"], InputError, "different frames"),
        (lambda: held[held["ill"]]["x"] + held["x"], InputError, "different rows"),
        (lambda: held["x"] + [1, 2], InputError, "single values, not list"),
        (lambda: held["x"] == NAN, InputError, "NaN equals nothing"),
        (lambda: held["n"] + 2**70, InputError, "beyond 64 bits"),
        (lambda: held.groupby("ward", domain={"ward": [1]}), ColumnError, "it is string, and 1 is not"),
        (lambda: held.groupby("x", domain={"x": [1.0]}), ColumnError, "not by float"),
        (lambda: held.groupby("ill").agg("middle"), InputError, "no aggregate 'middle'"),
        (lambda: held["ward"].isin("a"), InputError, "isin takes a list"),
    ):
        with pytest.raises(error, match=says):
            refused()
    assert not fresh.jobs


def test_integers_that_leave_64_bits_are_refused_by_their_owner(fresh):
    held = an.from_pandas(fresh, {"bob": pd.DataFrame({"n": [2**62, 1]})})
    with pytest.raises(BoundError, match="beyond 64 bits"):
        (held["n"] * 4).sum().reveal()
    assert (held["n"] * 1.0 * 4).sum().reveal() == 2.0**64 + 4


def test_infinite_results_are_refused_by_their_owner(fresh):
    held = an.from_pandas(fresh, {"bob": pd.DataFrame({"n": [1, 0]})})
    with pytest.raises(NullError, match="infinite"):
        (1 / held["n"]).sum().reveal()


def test_how_many_rows_are_chosen_is_no_public_number(fresh):
    held, _ = split(fresh, False, [(2.0, 5, "b", False)], [])
    with pytest.raises(TypeError, match="count_rows"):
        len(held[held["ill"]])
    assert "where ill" in repr(held[held["ill"]])
