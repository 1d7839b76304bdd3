import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analytics as an
from icm_ray.errors import InputError
from tests.analytics.conftest import both, split

small = st.lists(st.integers(-20, 20), min_size=1, max_size=40).map(lambda v: np.array(v, np.int64))
edges = st.lists(st.integers(-25, 25), min_size=2, max_size=6).map(sorted)


def same(found, expected):
    for mine, theirs in zip(found, expected, strict=True):
        assert mine.dtype == theirs.dtype
        np.testing.assert_array_equal(mine, theirs)


@given(small, st.integers(1, 9), st.integers(-25, 25), st.integers(0, 30))
@settings(max_examples=8)
def test_equal_bins_are_numpys(engine, values, bins, low, width):
    for column in both(engine, values):
        same(column.histogram(bins, range=(low, low + width)).reveal(), np.histogram(values, bins, (low, low + width)))


@given(small, edges)
@settings(max_examples=8)
def test_edges_are_numpys(engine, values, edges):
    for column in both(engine, values):
        same(column.histogram(edges).reveal(), np.histogram(values, edges))


@given(st.lists(st.floats(-8, 8), min_size=1, max_size=40).map(np.array), st.integers(1, 9))
@settings(max_examples=8)
def test_shared_floats_are_counted_as_quantised(engine, values, bins):
    held, shared = both(engine, values)
    quantised = np.rint(values * 2**16) / 2**16
    same(held.histogram(bins, range=(-3, 3)).reveal(), np.histogram(values, bins, (-3, 3)))
    explicit = np.linspace(-3, 3, bins + 1)
    counts, found = shared.histogram(bins, range=(-3, 3)).reveal()
    same((counts,), np.histogram(quantised, np.rint(explicit * 2**16) / 2**16)[:1])
    assert found.tolist() == explicit.tolist()


sharp = st.lists(st.floats(-7.9, 7.9).map(lambda v: round(v, 3)), min_size=2, max_size=8, unique=True).map(sorted)


@given(sharp, st.data())
@settings(max_examples=12)
def test_values_equal_to_an_edge_are_where_numpy_has_them(engine, edges, data):
    """Edges 0.001 apart are no multiples of 2^-16, but none is within 2^-16 of another number of that kind."""
    values = data.draw(st.lists(st.sampled_from(edges) | st.integers(-8000, 8000).map(lambda v: v / 1000), min_size=1))
    for column in both(engine, np.array(values)):
        same(column.histogram(edges).reveal(), np.histogram(values, edges))


def test_every_value_is_an_edge(engine):
    values, edges = [0.2, 0.4, 0.7, 0.9] * 2, [0, 0.2, 0.4, 0.7, 0.9, 1]
    for column in both(engine, values):
        assert column.histogram(edges).reveal()[0].tolist() == [0, 2, 2, 2, 2]


@given(st.lists(st.floats(-8, 8), min_size=1, max_size=20), st.lists(st.floats(-8, 8), min_size=2, max_size=6))
@settings(max_examples=12)
def test_what_is_off_an_edge_by_no_more_than_a_unit_may_move(engine, values, edges):
    """As `explain` says: every count is numpy's for some values that are as near as that."""
    edges, unit = sorted(edges), 2.0**-16
    shared = both(engine, np.array(values))[1]
    assert "multiples of 2^-16" in shared.histogram(edges).explain()
    counts = shared.histogram(edges).reveal()[0]
    reached = np.append(np.cumsum(counts[::-1])[::-1], 0)
    beyond = sum(value > edges[-1] + unit for value in values)
    for edge, count in zip(edges[:-1], reached[:-1], strict=True):
        least = sum(edge <= value <= edges[-1] for value in values)
        most = sum(value >= edge - unit for value in values) - beyond
        assert least <= count <= most


LARGE = [2**53, 2**53 + 1, 2**53 + 2, 2**53 + 3]


def test_whole_edges_beyond_doubles(fresh):
    values = np.array([2**53 + 1, 2**53 + 2, 2**53 + 2, 2**53 + 3], np.int64)
    frame = an.from_pandas(fresh, {"alice": pd.DataFrame({"x": values})}, bounds={"x": 2**54})
    for column in (frame["x"], frame.share()["x"]):
        same(column.histogram(LARGE).reveal(), np.histogram(values, LARGE))
        assert column.histogram(LARGE).reveal()[0].tolist() == [0, 1, 3]
    top = np.array([2**64 - 1, 2**64 - 2, 2**63], np.uint64)
    edges = np.array([0, 2**63, 2**64 - 1], np.uint64)
    same(split(fresh, top)["x"].histogram(edges).reveal(), np.histogram(top, edges))


def test_edges_of_single_precision_columns_are_doubles(fresh):
    """Unlike numpy's, and as the docs say: the edges are those of doubles, and values compare with them exactly."""
    values = np.array([0.1, 0.2, 0.3], np.float32)
    counts, edges = split(fresh, values)["x"].histogram(10, range=(0, 1)).reveal()
    same((counts, edges), np.histogram(values.astype(np.float64), np.linspace(0, 1, 11)))


def test_edges_beyond_the_bound_of_a_shared_column(fresh):
    values = np.array([0, 1, 3, 4], np.int64)
    frame = an.from_pandas(fresh, {"alice": pd.DataFrame({"x": values})}, bounds={"x": 4})
    edges = [-1e12, 0, 4, 1e12]
    same(frame.share()["x"].histogram(edges).reveal(), np.histogram(values, edges))
    same(frame.share()["x"].histogram([-4, 4]).reveal(), np.histogram(values, [-4, 4]))


def test_booleans_count_as_numbers(fresh):
    for column in both(fresh, [True, False, True]):
        assert column.histogram([0, 1, 2]).reveal()[0].tolist() == [1, 2]


def test_no_cumulative_count_is_opened(fresh):
    _, shared = both(fresh, [1, 2, 3, 4])
    fresh.jobs.clear()
    shared.histogram(2, range=(0, 4)).reveal()
    assert fresh.revealed() == [("driver", "0: counts (histogram of x)")]
    types = fresh.jobs[-1].program.types()
    assert types[-1].shape == (2,)


@pytest.mark.parametrize(
    ("bins", "range", "says"),
    [
        (8, None, "least and the largest value"),
        ("auto", (0, 1), "from the data"),
        (0, (0, 1), "bins must be"),
        (True, (0, 1), "bins must be"),
        (2.5, (0, 1), "bins must be"),
        (5000, (0, 1), "4096"),
        (8, (1, 0), "in order"),
        (8, (0, np.inf), "finite"),
        (8, 3, "two numbers"),
        ([1], None, "2 to"),
        ([0, 2, 1], None, "increase"),
        ([0, np.inf], None, "finite"),
        (["a", "b"], None, "sequence of edges"),
        ([0, 2**64], None, "64 bits"),
        ([-1, 2**63], None, "64 bits"),
        ([0.5, 10**400], None, "64 bits"),
        (np.array([2, 1], np.uint64), None, "increase"),
        (np.array([[0, 1]]), None, "shape"),
        (8, (0, 10**400), "two numbers"),
        (8, (-1.7e308, 1.7e308), "8 bins"),
        (1, (-1.7e308, 1.7e308), "1 bins"),
        (8, (0, 5e-324), "8 bins"),
    ],
)
def test_what_cannot_be_public_or_is_none_is_refused(fresh, bins, range, says):
    column = split(fresh, [1, 2, 3])["x"]
    with pytest.raises(InputError, match=says):
        column.histogram(bins, range)
    assert not fresh.jobs
