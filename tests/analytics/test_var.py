import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analytics as an
from icm_ray.errors import InputError
from tests.analytics.conftest import both, close, numbers, split, variance


@given(numbers, st.integers(0, 3))
@settings(max_examples=15)
@pytest.mark.few(1)
def test_is_within_the_stated_bound(engine, values, ddof):
    for column in both(engine, values):
        if len(values) <= ddof:
            assert math.isnan(column.var(ddof).reveal())
        else:
            close(column.var(ddof), variance(values, ddof))


@pytest.mark.parametrize("values", [[3], [3, 3], [1.5, 1.5, 1.5], [0.1, 0.1], [True, False, True]])
@pytest.mark.parametrize("ddof", [0, 1, 2])
@pytest.mark.few(7)
def test_is_that_of_pandas(fresh, values, ddof):
    for column in both(fresh, values):
        np.testing.assert_allclose(column.var(ddof).reveal(), pd.Series(values).var(ddof=ddof), rtol=1e-4, atol=1e-12)


def test_owners_columns_keep_their_digits_at_any_scale(engine):
    rng = np.random.default_rng(2)
    for scale, shift in ((1e-9, 0.0), (1e-3, 1e6), (1.0, 1e9), (1e8, -1e12)):
        values = shift + scale * rng.normal(size=50)
        close(split(engine, values)["x"].var(), variance(values, 1))


def test_default_bounds_need_no_declaration(fresh):
    values = np.array([2**31, -(2**31), 2**31 - 1, 5], np.int64)
    assert split(fresh, values).share()["x"].var(0).reveal() == float(variance(values, 0))


def test_only_v_is_opened(fresh):
    for column in both(fresh, [1, 5, 7, 8]):
        fresh.jobs.clear()
        column.var().reveal()
        assert fresh.revealed() == [("driver", "0: V (var of x (ddof=1))")]


def test_an_undefined_variance_opens_nothing(fresh):
    for column in both(fresh, [4]):
        fresh.jobs.clear()
        assert math.isnan(column.var().reveal())
        assert "NaN" in column.var().explain()
        assert not fresh.jobs


@pytest.mark.parametrize("ddof", [-1, 1.0, True, "1"])
def test_ddof_is_a_whole_number(fresh, ddof):
    with pytest.raises(InputError, match="ddof"):
        split(fresh, [1, 2])["x"].var(ddof)


def test_many_rows_of_one_place(fresh):
    values = np.random.default_rng(3).integers(0, 97, 20000)
    frame = an.from_pandas(fresh, {"bob": pd.DataFrame({"x": values})}, bounds={"x": 100})
    assert frame.share()["x"].var().reveal() == float(variance(values, 1))


@pytest.mark.parametrize("ddof", [np.int64(1), np.uint8(1)])
def test_degrees_of_freedom_may_be_numpys(fresh, ddof):
    held, _ = both(fresh, [1, 2, 4])
    assert held.var(ddof).reveal() == pytest.approx(7 / 3)


@pytest.mark.parametrize("ddof", [-1, 1.0, True, "1", None, np.bool(1)])
def test_degrees_of_freedom_that_are_none(fresh, ddof):
    held, _ = both(fresh, [1, 2, 4])
    with pytest.raises(InputError, match="ddof must be a whole number"):
        held.var(ddof)
