"""Exact sums of doubles and integers by cell against Python's own integers and fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from icm_ray.owner.exact import ExactSums
from icm_ray.ring.exact_sums import MOST_TERMS, carry
from icm_ray.ring.wide import GRID, to_signed

finite = st.floats(allow_nan=False, allow_infinity=False)
TOP = float(np.finfo(np.float64).max)
LEAST = 5e-324


def constant(array):
    """As folds hand arrays on."""
    view = array.view()
    view.flags.writeable = False
    return view


def whole(value, power=1):
    """value^power as an integer in the units of sums."""
    return int(Fraction(value) ** power * 2 ** (power * GRID)) if isinstance(value, float) else value**power


def sums_of(values, power=1, cells=None, count=1, most_terms=MOST_TERMS, times=1):
    sums = ExactSums(power, values.dtype.kind == "f", count, most_terms)
    for _ in range(times):
        sums.add(constant(values), None if cells is None else constant(cells))
    return to_signed(sums.words())


def plain_sums(values, power, cells, count):
    expected = [0] * count
    for value, cell in zip(values.tolist(), cells.tolist(), strict=True):
        expected[cell] += whole(value, power)
    return expected


numbers = st.one_of(
    hnp.arrays(np.float64, st.integers(0, 80), elements=finite),
    hnp.arrays(np.float64, st.integers(0, 80), elements=st.sampled_from([TOP, -TOP, LEAST, -LEAST, -0.0, 2.0**1023])),
    hnp.arrays(np.float64, st.integers(0, 80), elements=st.floats(-1e-300, 1e-300)),
    hnp.arrays(np.int64, st.integers(0, 80)),
    hnp.arrays(np.uint64, st.integers(0, 80)),
)


@given(numbers, st.sampled_from([1, 2]))
def test_sums_of_one_cell_are_exact(values, power):
    assert sums_of(values, power) == [sum(whole(value, power) for value in values.tolist())]


@given(numbers, st.sampled_from([1, 2]), st.integers(1, 9), st.integers(0, 2**32), st.integers(1, 7))
def test_sums_by_cell_are_exact_whenever_carries_come(values, power, count, seed, most_terms):
    cells = np.random.default_rng(seed).integers(0, count, values.size)
    expected = plain_sums(values, power, cells, count)
    assert sums_of(values, power, cells, count) == expected
    assert sums_of(values, power, cells, count, most_terms) == expected
    assert sums_of(values, power, cells, count, most_terms, times=3) == [3 * total for total in expected]


@pytest.mark.parametrize("power", [1, 2])
def test_every_power_of_two_is_in_its_place(power):
    values = np.ldexp(1.0, np.arange(-1074, 1024))
    cells = np.arange(values.size)
    assert sums_of(values, power, cells, values.size) == [1 << power * place for place in range(values.size)]
    odd = np.nextafter(values, np.inf)[: -1 if power == 1 else None]
    assert sums_of(-odd, power, cells[: odd.size], odd.size) == [(-1) ** power * whole(x, power) for x in odd.tolist()]


@pytest.mark.parametrize("low", [-1074, -30, 0])
@pytest.mark.few(1)
def test_many_rows_of_mixed_scale_are_exact(low):
    rng = np.random.default_rng(abs(low))
    values = np.ldexp(rng.uniform(-1, 1, 20_017), rng.integers(low, 1, 20_017))
    values[::7] = np.nextafter(1.0, 0.0)
    cells = rng.integers(0, 5, values.size)
    for power in (1, 2):
        expected = plain_sums(values, power, cells, 6)
        assert sums_of(values, power, cells, 6) == expected
        assert expected[5] == 0
        assert sums_of(values, power) == [sum(expected)]


ENDS = [TOP, -TOP, LEAST, np.nextafter(1.0, 0.0), 2.0**-1022]
ENDS += [np.int64(2**63 - 1), np.int64(-(2**63)), np.int64(-1), np.uint64(2**64 - 1)]


@pytest.mark.parametrize("value", ENDS, ids=str)
@pytest.mark.parametrize("power", [1, 2, 3, 4])
def test_a_million_of_the_same_value(value, power):
    values, cells = np.full(1_000_000, value), np.zeros(1_000_000, np.int64)
    expected = 1_000_000 * whole(values[0].item(), power)
    assert sums_of(values, power) == [expected]
    assert sums_of(values, power, cells, 2, most_terms=65_537) == [expected, 0]


@pytest.mark.parametrize("value", ENDS, ids=str)
@pytest.mark.parametrize("power", [1, 2, 3, 4])
def test_as_many_terms_as_come_between_carries_fit_the_digits(value, power):
    values = np.full(1, value)
    one = ExactSums(power, values.dtype.kind == "f", 1)
    one.add(constant(values), None)
    digits = one._sums.digits.copy()
    assert np.abs(digits).max() < 2**32  # every piece of a term
    assert (MOST_TERMS + 1) * 2**32 <= 2**63
    one._sums.digits += digits * (MOST_TERMS - 1)  # as if it had come so often
    carry(one._sums.digits)
    assert (one._sums.digits[0, :-1] >> 32 == 0).all()
    one._sums.digits += digits * MOST_TERMS
    assert to_signed(one.words()) == [2 * MOST_TERMS * whole(values[0].item(), power)]


def test_sums_go_on_after_they_are_read():
    sums = ExactSums(1, True, 1)
    for total in (1, 2, 3):
        sums.add(constant(np.array([-1.5])), None)
        assert to_signed(sums.words()) == [total * whole(-1.5)]
