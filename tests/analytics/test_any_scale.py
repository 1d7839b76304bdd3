"""Columns that owners hold, of any scale: every int64, uint64 and finite double, against exact arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.analytics.conftest import split, variance

finite = st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=True)
doubles = st.lists(finite, min_size=1, max_size=30).map(np.array)
signed = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=30).map(lambda v: np.array(v, np.int64))
unsigned = st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=30).map(lambda v: np.array(v, np.uint64))
LARGEST = Fraction(np.finfo(float).max.item())

HARD = {
    "epoch microseconds": np.array([1_718_000_000_123_456, 1_718_000_000_123_457, 1_718_000_000_123_455]),
    "identifiers": 10**15 + np.arange(50),
    "the ends of int64": np.array([2**63 - 1, -(2**63), 2**63 - 1, 2**62]),
    "the ends of uint64": np.array([2**64 - 1, 2**64 - 2, 0, 2**63], np.uint64),
    "large doubles": np.array([2.5e13, 1.8e13]),
    "small doubles": np.array([1.6e-19, 1.5e-19]),
    "subnormal doubles": np.array([5e-324, 1e-323, 0.0, -5e-324]),
    "the largest doubles": np.array([1e308, -1.7e308, 1.7976931348623157e308]),
    "doubles of every scale": np.array([1e308, 1.0, 5e-324, -1e308, 1e-200]),
    "doubles far apart": np.array([1e9, 1e9 + 1e-3, 1e9 - 1e-3]),
}


def hold(query, exact: Fraction) -> None:
    """The result is within the stated bound, and as near as a double may be; infinite where no double is as large."""
    result = query.reveal()
    assert type(result) is float
    if math.isinf(result):
        assert (result > 0) == (exact > 0)
        assert abs(exact) > LARGEST
        return
    off = abs(Fraction(result) - exact)
    assert off <= Fraction(query.error.at(result))
    assert off <= abs(exact) / 2**52 + Fraction(1, 2**1074)


def hold_root(query, squared: Fraction) -> None:
    """As `hold`, for the root of an exact number: between the squares of what may be a hair less and more."""
    result = query.reveal()
    if math.isinf(result):
        assert squared > LARGEST**2
        return
    bound = Fraction(query.error.at(result))
    assert max(Fraction(result) - bound, 0) ** 2 <= squared <= (Fraction(result) + bound) ** 2
    assert bound <= Fraction(result) / 2**51 + Fraction(1, 2**1073)


def hold_all(engine, values):
    column, plain = split(engine, values)["x"], [Fraction(value) for value in values.tolist()]
    whole = values.dtype.kind != "f"
    total = column.sum().reveal() if whole else None
    assert total is None or (type(total) is int and total == sum(plain))
    if not whole:
        hold(column.sum(), sum(plain))
    hold(column.mean(), sum(plain) / len(plain))
    for ddof in (0, 1):
        if len(plain) > ddof:
            spread = Fraction(variance(values, ddof))
            hold(column.var(ddof=ddof), spread)
            hold_root(column.std(ddof=ddof), spread)
    for query, expected in ((column.min(), values.min()), (column.max(), values.max())):
        result = query.reveal()
        assert type(result) is (int if whole else float)
        assert result == expected.item()
        assert query.error.at(result) == 0


@given(doubles | signed | unsigned)
@settings(max_examples=12)
@pytest.mark.few(1)
def test_every_number_is_taken(engine, values):
    hold_all(engine, values)


@pytest.mark.parametrize("values", HARD.values(), ids=HARD)
def test_columns_that_users_have(engine, values):
    hold_all(engine, values)


def test_the_spread_of_tiny_and_of_huge_values(fresh):
    assert split(fresh, np.array([1.6e-19, 1.5e-19]))["x"].std().reveal() == pytest.approx(7.0710678e-21, rel=1e-7)
    assert split(fresh, np.array([2.5e13, 1.8e13]))["x"].std().reveal() == pytest.approx(4.9497475e12, rel=1e-7)
    huge = split(fresh, np.array([1e308, -1e308]))["x"]
    assert huge.std().reveal() == pytest.approx(math.sqrt(2) * 1e308, rel=1e-15)
    assert huge.var().reveal() == math.inf
    assert huge.mean().reveal() == 0.0
    assert split(fresh, np.array([1.7e308, 1.7e308]))["x"].sum().reveal() == math.inf


@given(st.lists(st.sampled_from([0.0, -0.0, 1.0, -1.0]), min_size=1, max_size=12))
@settings(max_examples=8)
def test_zeros_keep_their_signs(engine, values):
    """-0.0 before 0.0: numpy's own zero wherever numpy's does not depend on the order of the rows."""
    column = split(engine, np.array(values))["x"]
    ordered = sorted(values, key=lambda value: (value, math.copysign(1, value)))
    for query, expected in ((column.min(), ordered[0]), (column.max(), ordered[-1])):
        result = query.reveal()
        assert (result, math.copysign(1, result)) == (expected, math.copysign(1, expected))


def test_what_is_opened_has_a_public_width(fresh):
    """The ring follows from the column's kind, whatever the values."""
    kinds = set()
    for values in ([0.0, 0.0], [1e308, -5e-324], [1.5, 2.5]):
        fresh.jobs.clear()
        column = split(fresh, np.array(values))["x"]
        column.var().reveal()
        kinds.add(fresh.jobs[-1].program.types()[-1])
    assert len(kinds) == 1
