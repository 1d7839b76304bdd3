"""Aggregates of owners against fractions and numpy: exact sums, variances without cancellation, order, counts."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from icm_ray.errors import ColumnError, OwnerError, ProgramError
from icm_ray.owner.aggregate import aggregate
from icm_ray.ring import wide
from icm_ray.ring.fixed import float_of_key, key_of_float, key_of_words

finite = st.floats(allow_nan=False, allow_infinity=False)
doubles = hnp.arrays(np.float64, st.integers(1, 80), elements=finite)
whole = st.one_of(
    hnp.arrays(np.int64, st.integers(0, 30)), hnp.arrays(np.uint64, st.integers(0, 30)), hnp.arrays(bool, 5)
)


def moments(*parts):
    """(n, S1, S2) of partitions, each one block, of one kind."""
    blocks = [[np.asarray(part)] for part in parts]
    floats, rows = blocks[0][0].dtype.kind == "f", sum(block.size for (block,) in blocks)
    found = []
    for power, kind in enumerate(("sum", "squares"), start=1):
        words = aggregate(kind, (), blocks, "x", floats)
        assert (words.shape, words.dtype) == ((1, 67 if floats else 4), np.uint64)
        found.append(Fraction(wide.to_signed(words)[0], 2 ** (power * wide.GRID * floats)))
    return rows, *found


@given(st.lists(doubles, min_size=1, max_size=4))
def test_sums_of_doubles_are_exact(parts):
    _, first, second = moments(*parts)
    plain = [Fraction(value) for part in parts for value in part.tolist()]
    assert first == sum(plain)
    assert second == sum(value**2 for value in plain)


@given(st.lists(whole, min_size=1, max_size=4))
def test_sums_of_integers_are_exact(parts):
    _, first, second = moments(*parts)
    plain = [value for part in parts for value in part.tolist()]
    assert first == sum(plain)
    assert second == sum(value * value for value in plain)


def test_booleans_are_counted():
    assert moments([True, False, True])[1:] == (2, 2)


@given(finite, st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_variance_of_a_constant_is_zero(value, lengths):
    rows, first, second = moments(*[np.full(length, value) for length in lengths])
    assert rows * second == first**2


@pytest.mark.parametrize("value", [np.finfo(np.float64).max, 5e-324])
def test_the_ends_of_doubles(value):
    _, first, second = moments(np.full(70_000, value))
    assert (first, second) == (70_000 * Fraction(value), 70_000 * Fraction(value) ** 2)


def test_blocks_of_a_partition_are_one_partition():
    values = np.random.default_rng(3).standard_normal(1000) * 1e-9
    together = aggregate("squares", (), [[values]], "x", floats=True)
    assert np.array_equal(aggregate("squares", (), [list(np.array_split(values, 7))], "x", floats=True), together)


def test_integers_in_a_column_of_floats_are_floats():
    blocks = [[np.array([1, 2**53])], [np.array([0.5])], [np.array([True])]]
    assert wide.to_signed(aggregate("sum", (), blocks, "x", floats=True)) == [(2**54 + 5) << wide.GRID - 1]
    assert words_of(aggregate("max", (), blocks, "x", floats=True)) == key_of_float(2.0**53)
    assert aggregate("histogram", (0.5, 1), blocks, "x", floats=True).tolist() == [3]


@pytest.mark.parametrize("kind", ["sum", "squares", "min", "max", "histogram"])
@pytest.mark.parametrize(
    ("values", "floats"), [([0.5], False), ([2**53 + 1], True), ([-(2**63)], True), ([2**64 - 1], True)]
)
def test_numbers_of_another_kind_are_refused(kind, values, floats):
    with pytest.raises(ColumnError, match="cost") as caught:
        aggregate(kind, (0, 1), [[np.asarray(values)]], "cost", floats)
    assert str(abs(values[0])) not in str(caught.value)


# --- order --------------------------------------------------------------------------------------------------------


def words_of(words):
    """The order key of an extreme."""
    assert (words.shape, words.dtype) == ((2, 1), np.uint64)
    return key_of_words(*words.reshape(-1).view(np.int64).tolist())


@given(hnp.arrays(np.int64, st.integers(1, 50)), hnp.arrays(np.uint64, st.integers(1, 50)))
def test_integer_extremes(signed, unsigned):
    parts, plain = [[signed[:1]], [signed[1:], unsigned]], signed.tolist() + unsigned.tolist()
    assert words_of(aggregate("min", (), parts, "x")) == min(plain)
    assert words_of(aggregate("max", (), parts, "x")) == max(plain)


@given(doubles)
def test_float_extremes(values):
    for kind, end in (("min", values.min()), ("max", values.max())):
        found = float_of_key(words_of(aggregate(kind, (), [[values[:3]], [values[3:]]], "x", floats=True)))
        assert found == end


@given(st.lists(st.sampled_from([0.0, -0.0]), min_size=1, max_size=40))
def test_zeros_have_their_signs(zeros):
    blocks = [[np.array(zeros[:20])], [np.array(zeros[20:])]]
    least, largest = (
        math.copysign(1.0, float_of_key(words_of(aggregate(kind, (), blocks, "x", floats=True))))
        for kind in ("min", "max")
    )
    signs = [math.copysign(1.0, zero) for zero in zeros]
    assert (least, largest) == (min(signs), max(signs))


def test_extremes_of_booleans():
    assert words_of(aggregate("max", (), [[np.array([False, True])]], "x")) == 1
    assert words_of(aggregate("min", (), [[np.array([False, True])]], "x")) == 0


@pytest.mark.parametrize("values", [[2**64 - 1, 2**63], [0, 2**64 - 2]])
def test_extremes_of_unsigned_integers(values):
    assert words_of(aggregate("max", (), [[np.asarray(values, np.uint64)]], "age")) == max(values)


def test_no_rows_have_no_extreme():
    with pytest.raises(OwnerError, match="age"):
        aggregate("min", (), [[np.empty(0)], []], "age")


def test_no_rows_have_a_sum():
    for floats in (False, True):
        assert wide.to_signed(aggregate("sum", (), [[np.empty(0)], []], "x", floats)) == [0]


# --- counts -------------------------------------------------------------------------------------------------------


@given(
    hnp.arrays(np.float64, st.integers(0, 100), elements=st.floats(-10, 10)),
    st.lists(st.floats(-10, 10), min_size=2, max_size=8).map(sorted),
)
def test_histogram_is_numpys(values, edges):
    parts = [[values[:40]], [values[40:]]]
    counts = aggregate("histogram", tuple(edges), parts, "x", floats=True)
    assert counts.dtype == np.uint64
    assert counts.tolist() == np.histogram(values, edges)[0].tolist()


def test_histogram_of_integers_and_booleans():
    values = np.arange(11)
    assert aggregate("histogram", (0.0, 5.0, 10.0), [[values]], "x").tolist() == [5, 6]
    assert aggregate("histogram", (0.0, 1.0, 2.0), [[values > 3]], "x").tolist() == [4, 7]


big = st.integers(-(2**63), 2**64 - 1)
near = st.builds(
    lambda power, shift: min(max(2**power + shift, -(2**63)), 2**64 - 1), st.integers(50, 64), st.integers(-3, 3)
)


@given(
    st.lists(big | near, max_size=40),
    st.lists(big | near | finite | st.integers(-5, 5), min_size=2, max_size=6).map(sorted),
)
def test_integers_and_edges_compare_exactly(values, edges):
    signed = np.array([value for value in values if value < 2**63], np.int64)
    unsigned = np.array([value for value in values if value >= 2**63], np.uint64)
    counts = aggregate("histogram", tuple(edges), [[signed], [unsigned]], "x")
    assert counts.tolist() == plain_histogram(values, edges)


@given(
    st.lists(finite | near.map(float), max_size=40),
    st.lists(big | near | finite, min_size=2, max_size=6).map(sorted),
)
def test_floats_and_edges_compare_exactly(values, edges):
    counts = aggregate("histogram", tuple(edges), [[np.array(values, np.float64)]], "x", floats=True)
    assert counts.tolist() == plain_histogram(values, edges)


def plain_histogram(values, edges):
    """numpy's semantics in Python's numbers, which compare exactly: half-open bins, the last one closed."""
    counts = [sum(low <= value < high for value in values) for low, high in pairwise(edges)]
    counts[-1] += sum(value == edges[-1] for value in values)
    return counts


@pytest.mark.parametrize("edges", [(), (1.0,), (2.0, 1.0), (0.0, float("nan")), (0.0, float("inf"))])
def test_histogram_needs_edges_in_order(edges):
    with pytest.raises(ProgramError, match="edges"):
        aggregate("histogram", edges, [[np.zeros(3)]], "x", floats=True)


def test_unknown_aggregates_are_refused():
    with pytest.raises(ProgramError, match="median"):
        aggregate("median", (), [], "x")
