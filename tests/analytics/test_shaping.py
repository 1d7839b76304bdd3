"""Conditions as text, missing values, names of columns: what pandas makes of the pooled rows."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analytics as an
import icm_ray as icm
from icm_ray.errors import ColumnError, InputError

NORTH = pd.DataFrame(
    {"age": [34, 61, 47, 70], "cost": [120.5, None, 310.25, 3.0], "ward": ["A", "B", "A", None], "a b": [1, 2, 3, 4]}
)
SOUTH = pd.DataFrame({"age": [29, 70], "cost": [None, 410.75], "ward": ["B", None], "a b": [5, 6]})
BOTH = pd.concat([NORTH, SOUTH], ignore_index=True)

QUERIES = (
    "age >= 65 and ward == 'A'",
    "age >= 30 & ward == 'A' | age < 30",
    "not age > 40",
    "~(age > 40)",
    "30 < age <= 61",
    "ward in ['A', 'C']",
    "ward not in ['A', 'C']",
    "ward == ['A']",
    "ward != ('A',)",
    "`a b` > 2 and age % 2 == 1",
    "(age - 10) * 2 // 3 > 20",
    "age ** 2 > 60 * 60",
    "cost.isna()",
    "cost.notnull() and ward.str.startswith('A')",
    "ward.str.lower().isin(['b'])",
    "age.between(30, 61, inclusive='left')",
    "abs(age - 50) < 12",
    "-age < -50",
    "'A' == ward",
    'ward == "`A` & @x"',
    "age > @least",
    "ward in @wards",
)
GIVEN = {"least": 45, "wards": ("B", "C")}


@pytest.fixture
def held(fresh):
    return an.from_pandas(fresh, {"alice": NORTH, "bob": SOUTH})


def test_queries(held):
    found = icm.reveal(*(held.query(text, local_dict=GIVEN)["a b"].sum() for text in QUERIES))
    assert list(found) == [BOTH.query(text, local_dict=GIVEN)["a b"].sum() for text in QUERIES]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "a condition is needed as text"),
        (3, "a condition is needed as text"),
        ("age >", "is no condition"),
        ("age = 3", "is no condition"),
        ("age + 1; ward", "is no condition"),
        ("3 > 2", "is the same for all rows"),
        ("age > @nothing", "@nothing is not given"),
        ("__import__('os').system('true')", "is not taken"),
        ("(lambda: age)()", "is not taken"),
        ("age.reveal()", ".reveal is not taken"),
        ("age.meant.dataset", ".meant is not taken"),
        ("ward.str._text", "._text is not taken"),
        ("[x for x in age]", "ListComp is not taken"),
        ("age if ward else cost", "IfExp is not taken"),
        ("age[0] > 1", "Subscript is not taken"),
        ("print(age)", "is not taken"),
        ("age.isin(*ward)", "is not taken"),
        ("age is 3", "Is is not taken"),
        ("age ^ 3", "BitXor is not taken"),
        ("9 ** 9 ** 9 > age", "are not computed with"),
        ("'a' * 10 > ward", "are not computed with"),
        ("age in ward", "in takes a column and a list"),
        ("True and age > 3", "conditions are joined"),
        ("age > [1, 2]", "single values"),
        ("age.round(1, 2, 3) > 3", "positional argument"),
        ("not " * 3000 + "age > 3", "no condition|nested too deeply"),
    ],
)
@pytest.mark.few(13)
def test_what_is_no_condition_is_refused(held, fresh, text, says):
    fresh.jobs.clear()
    with pytest.raises(InputError, match=says):
        held.query(text)
    assert not fresh.jobs


def test_columns_of_conditions_are_those_of_the_frame(held):
    with pytest.raises(ColumnError, match="did you mean 'age'"):
        held.query("agee > 3")
    with pytest.raises(ColumnError, match="__7"):
        held.query("__7 > 3")
    with pytest.raises(ColumnError, match="rows are chosen by a condition, not by int"):
        held.query("age + 1")
    assert held.assign(old=held["age"] >= 65).query("old")["age"].min().reveal() == 70
    assert held.query("age > 40").query("ward == 'A'").count_rows().reveal() == 1


@pytest.mark.parametrize("how", ["any", "all"])
@pytest.mark.parametrize("subset", [None, "cost", ["cost", "ward"], ["age"], ["age", "cost"]])
@pytest.mark.few(5)
def test_rows_without_missing_values(held, how, subset):
    wanted = [subset] if isinstance(subset, str) else subset
    expected = BOTH.dropna(subset=wanted, how=how)
    assert held.dropna(subset=subset, how=how)["a b"].sum().reveal() == expected["a b"].sum()


def test_names_of_columns(held):
    renamed = held.rename(columns={"age": "years", "ward": "age"})
    assert renamed.columns == ("years", "cost", "age", "a b")
    assert renamed["years"].sum().reveal() == BOTH["age"].sum()
    assert renamed.query("age == 'A'").years.max().reveal() == 47
    assert held.rename(columns=str.upper).columns == ("AGE", "COST", "WARD", "A B")
    assert held.drop(columns=["ward", "a b"]).columns == ("age", "cost")
    assert held.drop(columns="cost").rename(columns={"age": "cost"}).cost.sum().reveal() == BOTH["age"].sum()


def test_columns_are_attributes(held):
    assert held.age.sum().reveal() == BOTH["age"].sum()
    assert held.assign(shape=1).shape == (6, 5), "methods and properties come first"
    assert not hasattr(held, "agee")
    assert not hasattr(held, "__array_interface__")
    with pytest.raises(AttributeError, match="no column of this name; there are age"):
        _ = held.agee
    assert isinstance(copy.copy(held), an.SecureFrame)


def test_what_cannot_be_is_refused(held):
    for refused, error, says in (
        (lambda: held.dropna(how="some"), InputError, "how is"),
        (lambda: held.dropna(subset=[]), InputError, "name a column"),
        (lambda: held.dropna(subset="agee"), ColumnError, "did you mean"),
        (lambda: held.rename(columns={"agee": "x"}), ColumnError, "did you mean"),
        (lambda: held.rename(columns={"age": "cost"}), InputError, "two columns would have the name"),
        (lambda: held.rename(columns={"age": 3}), InputError, "no name for a column"),
        (lambda: held.rename(columns=3), InputError, "takes a mapping"),
        (lambda: held.drop(columns="agee"), ColumnError, "did you mean"),
        (lambda: held.drop(columns=list(held.columns)), InputError, "no column would be left"),
        (lambda: held.drop(columns=3), InputError, "list of names"),
    ):
        with pytest.raises(error, match=says):
            refused()


@given(rows=st.lists(st.tuples(st.integers(-5, 5), st.sampled_from((None, 0.5, 1.5))), min_size=1, max_size=10))
@settings(max_examples=10)
@pytest.mark.few(1)
def test_of_any_rows(engine, rows):
    plain = pd.DataFrame({"n": [n for n, _ in rows], "x": np.array([x for _, x in rows], float)})
    held = an.from_pandas(engine, {"alice": plain[:3], "bob": plain[3:]})
    text = "x > 1 or not n >= 0"
    found = icm.reveal(held.query(text).count_rows(), held.dropna().count_rows(), held.dropna(how="all").count_rows())
    assert found == (len(plain.query(text)), len(plain.dropna()), len(plain.dropna(how="all")))
