"""Every function of columns, row by row: what pandas gives for the same rows, whatever they hold."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analytics as an
from icm_ray.config import EngineConfig
from icm_ray.errors import BoundError, ColumnError, InputError, NullError
from icm_ray.owner.expressions.catalogue import EVALUATORS
from icm_ray.query.expressions.catalogue import FUNCTIONS
from icm_ray.query.expressions.tree import Apply, nodes_of
from tests.analytics.conftest import Recording
from tests.analytics.row_by_row import listed, values
from tests.analytics.test_times_and_decimals import DECIMALS, TIMES, moments

INTEGERS = st.one_of(st.integers(-20, 20), st.integers(-(2**40), 2**40))
FLOATS = st.one_of(
    st.none(),
    st.sampled_from((0.0, -0.0, 0.5, 1.5, 2.5, -2.5, 1e-9)),
    st.floats(-1e9, 1e9),
    st.integers(-9, 9).map(float),
)
TEXTS = st.one_of(
    st.none(), st.sampled_from(("", "a", "Ab", " Ab\t", "straße", "ÀÉ", "12", "a.b")), st.text(max_size=6)
)
ROWS = st.tuples(FLOATS, FLOATS, INTEGERS, INTEGERS, st.booleans(), TEXTS)
FIRST = (None, 1.5, 7, 2, True, None)
SECOND = (2.5, None, -3, 5, False, "Ab")


def frame(rows):
    """The rows as pandas has them."""
    x, y, n, k, ill, word = zip(FIRST, *rows, strict=True)
    return pd.DataFrame(
        {
            "x": pd.Series(x, dtype="float64"),
            "y": pd.Series(y, dtype="float64"),
            "n": pd.Series(n, dtype="int64"),
            "k": pd.Series(k, dtype="int64"),
            "ill": pd.Series(ill, dtype="bool"),
            "word": pd.Series(word, dtype="str"),
        }
    )


NUMBERS = {
    "x + n": lambda f: f["x"] + f["n"],
    "n - ill": lambda f: f["n"] - f["ill"].astype("int"),
    "n * 3": lambda f: f["n"] * 3,
    "n / k": lambda f: f["n"] / f["k"],
    "-x": lambda f: -f["x"],
    "abs n": lambda f: f["n"].abs(),
    "abs": lambda f: abs(f["x"]),
    "n // 7": lambda f: f["n"] // 7,
    "n // -7": lambda f: f["n"] // -7,
    "n // k": lambda f: f["n"] // f["k"],
    "n // 0": lambda f: f["n"] // 0,
    "n // 2.5": lambda f: f["n"] // 2.5,
    "x // y": lambda f: f["x"] // f["y"],
    "100 // n": lambda f: 100 // f["n"],
    "n % 7": lambda f: f["n"] % 7,
    "n % -7": lambda f: f["n"] % -7,
    "n % k": lambda f: f["n"] % f["k"],
    "x % y": lambda f: f["x"] % f["y"],
    "x % -1.5": lambda f: f["x"] % -1.5,
    "100 % n": lambda f: 100 % f["n"],
    "n % 1000 ** 3": lambda f: (f["n"] % 1000) ** 3,
    "n ** 0": lambda f: f["n"] ** 0,
    "x ** 0": lambda f: f["x"] ** 0,
    "x ** 2": lambda f: f["x"] ** 2,
    "x ** -1": lambda f: f["x"] ** -1,
    "abs x ** 0.5": lambda f: f["x"].abs() ** 0.5,
    "n ** 0.5": lambda f: f["n"] ** 0.5,
    "round": lambda f: f["x"].round(),
    "round 2": lambda f: f["x"].round(2),
    "round -3": lambda f: f["x"].round(-3),
    "round n": lambda f: f["n"].round(2),
    "round n -1": lambda f: f["n"].round(-1),
    "round n -2": lambda f: f["n"].round(-2),
    "clip": lambda f: f["x"].clip(-1, 1.5),
    "clip n": lambda f: f["n"].clip(lower=-3),
    "clip n 0.5": lambda f: f["n"].clip(upper=0.5),
    "clip columns": lambda f: f["x"].clip(upper=f["y"]),
    "clip n column": lambda f: f["n"].clip(lower=f["k"]),
}
CONDITIONS = {
    "==": lambda f: f["x"] == f["y"],
    "!=": lambda f: f["x"] != 1.5,
    "<": lambda f: f["n"] < f["k"],
    "<=": lambda f: f["n"] <= 2.5,
    ">": lambda f: f["x"] > f["n"],
    ">=": lambda f: f["x"] >= 0,
    "and": lambda f: (f["x"] > 0) & f["ill"],
    "or not": lambda f: (f["x"] > 0) | ~f["ill"],
    "isin": lambda f: f["n"].isin([1, 2, 7]),
    "isin words": lambda f: f["word"].isin(["a", "Ab"]),
    "isna": lambda f: f["x"].isna(),
    "notna": lambda f: f["word"].notna(),
    "word ==": lambda f: f["word"] == "Ab",
    "between": lambda f: f["x"].between(-1, 1.5),
    "between neither": lambda f: f["x"].between(0.5, 2.5, inclusive="neither"),
    "between left": lambda f: f["n"].between(1, 7, inclusive="left"),
    "between right": lambda f: f["n"].between(f["k"], 9, inclusive="right"),
    "to bool": lambda f: f["x"].astype("bool"),
    "n to bool": lambda f: f["n"].astype(bool),
}
CHOICES = {
    "fillna": lambda f: f["x"].fillna(-2.0),
    "fillna column": lambda f: f["x"].fillna(f["y"]),
    "where": lambda f: f["n"].where(f["ill"], 5),
    "where missing": lambda f: f["n"].where(f["n"] > 0),
    "where column": lambda f: f["x"].where(f["x"] > f["y"], f["y"]),
    "where float": lambda f: f["n"].where(f["ill"], 0.5),
    "mask": lambda f: f["x"].mask(f["x"] < 0, 0),
    "mask missing": lambda f: f["x"].mask(f["ill"]),
    "mask words": lambda f: f["word"].mask(f["ill"], "none"),
    "to int": lambda f: f["x"].fillna(0).astype("int"),
    "ill to int": lambda f: f["ill"].astype(int),
    "to float": lambda f: f["n"].astype("float64"),
    "to string": lambda f: f["n"].astype("string"),
    "x to string": lambda f: f["x"].astype("string"),
    "ill to string": lambda f: f["ill"].astype("string"),
    "string to int": lambda f: f["n"].astype("string").astype("int"),
    "string to float": lambda f: f["y"].astype("string").astype("float"),
}
TEXT = {
    "startswith": lambda f: f["word"].str.startswith("A"),
    "startswith several": lambda f: f["word"].str.startswith(("a", "st", "")),
    "startswith nothing": lambda f: f["word"].str.startswith(()),
    "not startswith": lambda f: ~f["word"].str.startswith("a"),
    "endswith": lambda f: f["word"].str.endswith("b"),
    "contains": lambda f: f["word"].str.contains("a.b", regex=False),
    "contains plain": lambda f: f["word"].str.contains("b"),
    "len": lambda f: f["word"].str.len(),
    "lower": lambda f: f["word"].str.lower(),
    "upper": lambda f: f["word"].str.upper(),
    "strip": lambda f: f["word"].str.strip(),
    "strip letters": lambda f: f["word"].str.strip("ab"),
}


def cut(column, *args, **settings):
    """pandas' with the bins' names as text."""
    if not isinstance(column, pd.Series):
        return an.cut(column, *args, **settings)
    found = pd.cut(column, *args, **settings)
    return found if settings.get("labels") is False else found.astype(object).map(str, na_action="ignore")


CUTS = {
    "cut": lambda f: cut(f["x"], [-1, 0, 0.5, 2.5, np.inf]),
    "cut right": lambda f: cut(f["n"], [-3, 0, 7, 9], right=False),
    "cut lowest": lambda f: cut(f["n"], [-3, 0, 7], include_lowest=True),
    "cut names": lambda f: cut(f["x"], [-np.inf, 0, np.inf], labels=["low", "high"]),
    "cut numbers": lambda f: cut(f["k"], [-10, 0, 10], labels=False),
}
TABLE = CUTS | NUMBERS | CONDITIONS | CHOICES | TEXT


def test_letters_are_those_of_pandas(held):
    plain = frame([(None, None, 0, 0, False, word) for word in ("straße", "İstanbul", "ÀÉ", "\x1c a\u2003", "ǅ")])
    for name in ("upper", "lower", "strip", "len"):
        assert values(TABLE[name](held), plain) == listed(TABLE[name](plain))


@pytest.fixture(scope="module")
def engine():
    with Recording(("alice", "bob"), config=EngineConfig()) as running:
        yield running


@pytest.fixture(scope="module")
def held(engine):
    """A frame of the same columns."""
    return an.from_pandas(engine, {"alice": frame([SECOND])})


@pytest.mark.parametrize("name", TABLE)
@given(rows=st.lists(ROWS, max_size=30))
@settings(max_examples=6)
@pytest.mark.few(30)
def test_each_row(held, name, rows):
    plain = frame(rows)
    with np.errstate(all="ignore"):
        expected = TABLE[name](plain)
    assert values(TABLE[name](held), plain) == listed(expected)


def test_functions_are_evaluated_and_tested(engine, held):
    times = an.from_pandas(engine, {"alice": moments([])})
    assert set(FUNCTIONS) == set(EVALUATORS)
    made = [make(held) for make in TABLE.values()] + [make(times) for make in (TIMES | DECIMALS).values()]
    nodes = [node for column in made for node in nodes_of(column.of)]
    of_order = {"text_order"}  # what `sort_values` finds of text: tests/analytics/test_sorted.py
    assert {node.function for node in nodes if isinstance(node, Apply)} | of_order == set(FUNCTIONS)


@given(one=st.lists(ROWS, max_size=8), other=st.lists(ROWS, max_size=8))
@settings(max_examples=10)
def test_statistics_of_what_is_computed(engine, one, other):
    held = an.from_pandas(engine, {"alice": frame(one), "bob": frame(other)})
    plain = pd.concat([frame(one), frame(other)], ignore_index=True)
    for name in ("n // 7", "x % -1.5", "round 2", "where float", "mask words", "between", "to int"):
        column, expected = TABLE[name](held), TABLE[name](plain)
        assert column.count().reveal() == expected.count()
        if column.kind != "string":
            assert column.sum().reveal() == pytest.approx(expected.sum(), rel=1e-12, abs=1e-9)


def test_what_is_computed_is_of_the_rows_that_are_meant(engine):
    plain = pd.DataFrame({"x": [1.5, None, math.inf], "n": [2, 0, 2**62]})
    held = an.from_pandas(engine, {"alice": plain})
    few = held[held["n"] == 2]
    assert few["x"].astype("int").sum().reveal() == 1
    assert (few["n"] * 4).sum().reveal() == 8
    assert held.assign(whole=held["x"].astype("int"))[held["n"] == 2]["whole"].max().reveal() == 1
    for refused, error, says in (
        (lambda: held["x"].astype("int").sum().reveal(), ColumnError, "missing values are no integers"),
        (lambda: held["x"].fillna(0).astype("int").sum().reveal(), ColumnError, "infinite values are no integers"),
        (lambda: (held["n"] ** 2).sum().reveal(), BoundError, "beyond 64 bits"),
        (lambda: (held["n"] // held["n"].where(held["n"] < 0, 0)).sum().reveal(), NullError, "infinite"),
    ):
        with pytest.raises(error, match=says):
            refused()


def test_integers_near_the_ends_of_64_bits(engine):
    ends = pd.DataFrame({"n": [2**63 - 1, -(2**63), 0], "u": np.array([2**64 - 1, 2**63, 1], np.uint64)})
    held = an.from_pandas(engine, {"alice": ends})
    assert (held["n"] // 7).sum().reveal() == sum(int(value) // 7 for value in ends["n"])
    assert (held["u"] // 7).sum().reveal() == sum(int(value) // 7 for value in ends["u"])
    assert (held["u"] % 1000).sum().reveal() == sum(int(value) % 1000 for value in ends["u"])
    for refused in (lambda: held["n"] // -1, lambda: held["n"].round(-1), lambda: held["u"].round(-1)):
        with pytest.raises(BoundError, match="beyond 64 bits"):
            refused().sum().reveal()


def test_what_cannot_be_is_refused_before_anything_is_asked(engine, held):
    engine.jobs.clear()
    for refused, error, says in (
        (lambda: held["word"] // 2, ColumnError, r"word // 2: // takes numbers, not string"),
        (lambda: held["n"] % "a", ColumnError, "% takes numbers, not string"),
        (lambda: held["n"] ** -1, ColumnError, "no negative powers"),
        (lambda: held["n"] ** True, ColumnError, "one public, finite exponent"),
        (lambda: held["n"] ** held["k"], InputError, "single values"),
        (lambda: held["ill"] + (held["n"] > 1), InputError, "of two conditions: join them"),
        (lambda: held["ill"] - True, InputError, "of two conditions: join them"),
        (lambda: True + held["ill"], InputError, "of two conditions: join them"),
        (lambda: held["n"].round(1.5), ColumnError, "whole number of decimals"),
        (lambda: an.cut(held["word"], [0, 1]), ColumnError, "cut takes numbers"),
        (lambda: an.cut(held["n"], 4), InputError, "give the edges of the bins"),
        (lambda: an.cut(held["n"], [1]), InputError, "two edges or more"),
        (lambda: an.cut(held["n"], [1, 0]), InputError, "edges of bins"),
        (lambda: an.cut(held["n"], [1, 0], labels=["a"]), ColumnError, "increase"),
        (lambda: an.cut(held["n"], [0, 1, 2], labels=["a"]), InputError, "2 bins, and 1 names"),
        (lambda: an.cut(held["n"], [0, 1, 2], labels=["a", "a"]), ColumnError, "different texts"),
        (lambda: an.cut(held["n"], [0, 1, 2], labels="ab"), InputError, "a name for each bin"),
        (lambda: an.cut(held["n"], ["a", "b"]), InputError, "edges of bins"),
        (lambda: an.cut([1], [0, 1]), InputError, "a column is needed"),
        (held["word"].round, ColumnError, "takes numbers"),
        (lambda: held["n"].clip(3, 1), InputError, "3 is above 1"),
        (lambda: held["n"].clip("a"), ColumnError, "one kind"),
        (lambda: held["n"].between(3, 1), InputError, "3 is above 1"),
        (lambda: held["n"].between(1, 3, inclusive="all"), InputError, "inclusive is"),
        (lambda: held["n"].where([True]), InputError, "takes a condition"),
        (lambda: held["n"].where(held["x"]), ColumnError, "takes a condition, not float"),
        (lambda: held["n"].where(held["ill"], "a"), ColumnError, "one kind"),
        (lambda: held["n"].astype("complex"), InputError, "astype takes"),
        (lambda: held["n"].astype("nothing"), InputError, "astype takes"),
        (lambda: held["n"].str, ColumnError, "takes text, not int"),
        (lambda: held["word"].str.startswith(1), InputError, "a text is needed"),
        (lambda: held["word"].str.contains("a.b"), InputError, "regular expressions are not evaluated"),
        (lambda: held["word"].str.strip(1), InputError, "a text is needed"),
        (lambda: held["word"].astype("bool"), ColumnError, "string is not made bool"),
    ):
        with pytest.raises(error, match=says):
            refused()
    assert not engine.jobs
