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
@settings(max_examples=15)
def test_equal_bins_are_numpys(engine, values, bins, low, width):
    for column in both(engine, values):
        same(column.histogram(bins, range=(low, low + width)).reveal(), np.histogram(values, bins, (low, low + width)))


@given(small, edges)
@settings(max_examples=15)
def test_edges_are_numpys(engine, values, edges):
    for column in both(engine, values):
        same(column.histogram(edges).reveal(), np.histogram(values, edges))


@given(st.lists(st.floats(-8, 8), min_size=1, max_size=40).map(np.array), st.integers(1, 9))
@settings(max_examples=15)
def test_shared_floats_are_counted_as_quantised(engine, values, bins):
    held, shared = both(engine, values)
    quantised = np.rint(values * 2**16) / 2**16
    same(held.histogram(bins, range=(-3, 3)).reveal(), np.histogram(values, bins, (-3, 3)))
    explicit = np.linspace(-3, 3, bins + 1)
    same(shared.histogram(bins, range=(-3, 3)).reveal(), np.histogram(quantised, explicit))


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
    ],
)
def test_what_cannot_be_public_or_is_none_is_refused(fresh, bins, range, says):
    column = split(fresh, [1, 2, 3])["x"]
    with pytest.raises(InputError, match=says):
        column.histogram(bins, range)
    assert not fresh.jobs
