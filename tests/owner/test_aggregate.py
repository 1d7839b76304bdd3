"""Aggregates of owners against fractions and numpy: exact sums, variances without cancellation, order, counts."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from icm_ray.errors import BoundError, OwnerError, ProgramError
from icm_ray.owner.aggregate import aggregate
from icm_ray.ring import wide
from icm_ray.ring.fixed import decode_integers, float_of_key, key_of_float

moderate = st.floats(-(2.0**40), 2.0**40, allow_subnormal=True)
finite = st.floats(allow_nan=False, allow_infinity=False)
keyed = st.floats(-(2.0**511), 2.0**511)


def whole(words):
    assert words.shape == (1, 4)
    assert words.dtype == np.uint64
    return wide.to_signed(wide.to_integers(words))[0]


def sums(*parts):
    """(n, S1, S2) of partitions, each one block; S1 and S2 are integers in units of 2^-64 and 2^-128."""
    blocks = [[np.asarray(part)] for part in parts]
    rows = sum(block.size for (block,) in blocks)
    return rows, whole(aggregate("sum", (), blocks, "x")), whole(aggregate("squares", (), blocks, "x"))


def spread(rows, first, second):
    """n^2 times the population variance."""
    return Fraction(rows * second - first**2, 2**128)


def exact_spread(values):
    plain = [Fraction(value) for value in np.asarray(values).tolist()]
    return len(plain) * sum(value**2 for value in plain) - sum(plain) ** 2


@given(hnp.arrays(np.float64, st.integers(1, 80), elements=moderate))
def test_float_sum_is_exact_to_the_grid(values):
    _, first, _ = sums(values)
    bound = len(values) if (values == values[0]).all() else 1
    assert abs(Fraction(first, 2**64) - sum(map(Fraction, values.tolist()))) <= Fraction(bound, 2**65)


@given(hnp.arrays(np.float64, st.integers(1, 80), elements=moderate))
def test_float_variance_keeps_its_stated_error(values):
    rows, first, second = sums(values)
    excess = spread(rows, first, second) - exact_spread(values)
    assert 0 <= excess < Fraction(rows, 2**128)
    total = abs(sum(map(Fraction, values.tolist())))
    squares = sum(Fraction(value) ** 2 for value in values.tolist())
    assert abs(Fraction(second, 2**128) - squares) <= total / 2**64 + Fraction(rows, 2**127)


@given(st.lists(hnp.arrays(np.float64, st.integers(1, 20), elements=moderate), min_size=1, max_size=5))
def test_variance_of_partitions_together_is_never_negative(parts):
    rows, first, second = sums(*parts)
    assert rows * second >= first**2


@given(st.lists(hnp.arrays(np.int64, st.integers(0, 30), elements=st.integers(-(2**40), 2**40)), max_size=4))
def test_integer_sums_are_exact(parts):
    _, first, second = sums(*parts)
    plain = [value for part in parts for value in part.tolist()]
    assert first == sum(plain) << 64
    assert second == sum(value * value for value in plain) << 128


def test_booleans_are_counted():
    assert sums([True, False, True])[1:] == (2 << 64, 2 << 128)


@pytest.mark.parametrize(
    ("centre", "scale"),
    [(1e9, 1e-3), (1e9, 1.0), (0.0, 1e-6), (1e-6, 1e-8), (1e-6, 1e-12), (-1e10, 1e-5), (0.1, 1e-10), (3e-12, 1e-13)],
)
@pytest.mark.parametrize("partitions", [1, 3])
def test_variance_of_hard_columns(centre, scale, partitions):
    values = centre + scale * np.random.default_rng(7).standard_normal(30_000)
    rows, first, second = sums(*np.array_split(values, partitions))
    exact = exact_spread(values)
    error = 2.0**-45 if partitions == 1 else max(2.0**-45, 2.0**-63 / (rows / partitions * scale))
    assert abs(spread(rows, first, second) - exact) <= exact * Fraction(error)


@given(moderate, st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_variance_of_a_constant_is_zero(value, lengths):
    rows, first, second = sums(*[np.full(length, value) for length in lengths])
    assert rows * second == first**2


@given(moderate)
def test_one_row_has_no_variance(value):
    rows, first, second = sums([value])
    assert rows * second == first**2
    assert abs(Fraction(first, 2**64) - Fraction(value)) <= Fraction(1, 2**65)


def test_blocks_of_a_partition_are_one_partition():
    values = np.random.default_rng(3).standard_normal(1000) * 1e-9
    together = aggregate("squares", (), [[values]], "x")
    assert np.array_equal(aggregate("squares", (), [list(np.array_split(values, 7))], "x"), together)


@pytest.mark.parametrize("values", [[2.0**58], [2**58], [2**57, 2**57], [-(2.0**58)], [1e300]])
def test_sums_beyond_the_range_are_refused(values):
    with pytest.raises(BoundError, match="cost"):
        aggregate("sum", (), [[np.asarray(values)]], "cost")


@pytest.mark.parametrize("values", [[2.0**44], [2**44], [-(2**63)], [-(2**44) + 1] * 2, [1e200]])
def test_squares_beyond_the_range_are_refused(values):
    with pytest.raises(BoundError, match="cost") as caught:
        aggregate("squares", (), [[np.asarray(values)]], "cost")
    assert str(abs(values[0])) not in str(caught.value)


def test_large_terms_of_a_small_sum_are_taken():
    assert whole(aggregate("sum", (), [[np.array([1e300, 1.5, -1e300])]], "x")) == 3 << 63
    assert whole(aggregate("sum", (), [[np.array([2**63 - 1, -(2**63), 2])]], "x")) == 1 << 64
    assert whole(aggregate("sum", (), [[np.array([2**62] * 4)], [np.array([-(2**62)] * 4)]], "x")) == 0


# --- order --------------------------------------------------------------------------------------------------------


@given(hnp.arrays(np.int64, st.integers(1, 50), elements=st.integers(-(2**62) + 1, 2**62 - 1)))
def test_integer_extremes(values):
    parts = [[values[:1]], [values[1:]]]
    assert decode_integers(aggregate("min", (), parts, "x")).tolist() == [values.min()]
    assert decode_integers(aggregate("max", (), parts, "x")).tolist() == [values.max()]


@given(hnp.arrays(np.float64, st.integers(1, 50), elements=keyed))
def test_float_extremes(values):
    for kind, end in (("min", values.min()), ("max", values.max())):
        found = float_of_key(decode_integers(aggregate(kind, (), [[values]], "x")))
        assert found.shape == (1,)
        assert abs(Fraction(found[0]) - Fraction(end)) <= Fraction(1, 2**511)
        assert found[0] == end or abs(end) < 2.0**-511


@given(hnp.arrays(np.float64, 2, elements=keyed))
def test_keys_of_floats_are_in_order_and_in_range(pair):
    keys = key_of_float(np.sort(pair))
    assert keys[0] <= keys[1]
    assert np.abs(keys).max() < 2**62
    again = float_of_key(keys)
    assert np.array_equal(key_of_float(again), keys)


def test_keys_at_the_ends():
    tiny, top = 2.0**-511, np.nextafter(2.0**512, 0)
    assert key_of_float(np.array([0.0, -0.0, 5e-324, tiny, -tiny])).tolist() == [0, 0, 0, 1, -1]
    assert float_of_key(key_of_float(np.array([top, -top, tiny]))).tolist() == [top, -top, tiny]
    with pytest.raises(BoundError, match="beyond"):
        key_of_float(np.array([2.0**512]))


def test_unsigned_and_signed_blocks_compare_exactly():
    parts = [[np.array([2**62 - 3], np.uint64)], [np.array([2**62 - 2, -1])]]
    assert decode_integers(aggregate("max", (), parts, "x")).tolist() == [2**62 - 2]
    assert decode_integers(aggregate("min", (), parts, "x")).tolist() == [-1]


def test_extremes_of_booleans():
    assert aggregate("max", (), [[np.array([False, True])]], "x").tolist() == [1]


@pytest.mark.parametrize("values", [[2**62], [-(2**62)], [2**64 - 1]])
def test_extremes_beyond_the_range_are_refused(values):
    with pytest.raises(BoundError, match="age"):
        aggregate("max", (), [[np.asarray(values)]], "age")


def test_no_rows_have_no_extreme():
    with pytest.raises(OwnerError, match="age"):
        aggregate("min", (), [[np.empty(0)], []], "age")


def test_no_rows_have_a_sum():
    assert whole(aggregate("sum", (), [[np.empty(0)], []], "x")) == 0


# --- counts -------------------------------------------------------------------------------------------------------


@given(
    hnp.arrays(np.float64, st.integers(0, 100), elements=st.floats(-10, 10)),
    st.lists(st.floats(-10, 10), min_size=2, max_size=8).map(sorted),
)
def test_histogram_is_numpys(values, edges):
    parts = [[values[:40]], [values[40:]]]
    counts = aggregate("histogram", tuple(edges), parts, "x")
    assert counts.dtype == np.uint64
    assert counts.tolist() == np.histogram(values, edges)[0].tolist()


def test_histogram_of_integers_and_booleans():
    values = np.arange(11)
    assert aggregate("histogram", (0.0, 5.0, 10.0), [[values]], "x").tolist() == [5, 6]
    assert aggregate("histogram", (0.0, 1.0, 2.0), [[values > 3]], "x").tolist() == [4, 7]


@pytest.mark.parametrize("edges", [(), (1.0,), (2.0, 1.0), (0.0, float("nan")), (0.0, float("inf"))])
def test_histogram_needs_edges_in_order(edges):
    with pytest.raises(ProgramError, match="edges"):
        aggregate("histogram", edges, [[np.zeros(3)]], "x")


def test_unknown_aggregates_are_refused():
    with pytest.raises(ProgramError, match="median"):
        aggregate("median", (), [], "x")
