"""Encoding and decoding."""

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from icm_ray.errors import BoundError, NullError, ShapeError
from icm_ray.ring.fixed import (
    NOTHING,
    decode,
    decode_integers,
    encode,
    float_of_key,
    key_of_float,
    key_of_words,
    words_of_key,
    words_of_keys,
)


@given(st.integers(0, 40), st.integers(0, 22), st.data())
def test_floats_are_rounded_to_the_nearest(f, bound, data):
    values = data.draw(st.lists(st.floats(-(2.0**bound), 2.0**bound), min_size=1, max_size=20))
    words = encode(np.array(values), f, bound)
    for value, word in zip(values, words.view(np.int64).tolist(), strict=True):
        assert abs(Fraction(word) - Fraction(value) * 2**f) <= Fraction(1, 2)
        assert abs(word) <= 2 ** (f + bound)
    assert np.abs(decode(words, f) - values).max() <= 2.0 ** -(f + 1)


@given(st.integers(0, 30), st.integers(0, 32), st.data())
def test_integers_are_exact(f, bound, data):
    values = data.draw(st.lists(st.integers(-(2**bound), 2**bound), min_size=1, max_size=20))
    words = encode(np.array(values, np.int64), f, bound)
    assert (decode_integers(words) >> f).tolist() == values


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint32, np.uint64, np.bool_, np.float16, np.float32])
def test_every_plain_dtype_is_taken(dtype):
    np.testing.assert_array_equal(decode(encode(np.array([0, 1, 1], dtype), 16, 0), 16), [0, 1, 1])


@pytest.mark.parametrize("value", [2.0**20 * (1 + 2**-52), -(2.0**20) * (1 + 2**-52), 2.0**63, 1e300, -1e300])
def test_floats_beyond_the_bound_are_refused(value):
    with pytest.raises(BoundError, match="age: a value is beyond the declared bound"):
        encode(np.array([0.0, value]), 16, 20, "age")


@pytest.mark.parametrize(
    "values", [np.array([2**20 + 1]), np.array([-(2**20) - 1]), np.array([2**63], np.uint64), np.array([-(2**63)])]
)
def test_integers_beyond_the_bound_are_refused(values):
    with pytest.raises(BoundError):
        encode(values, 16, 20)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(value):
    with pytest.raises(NullError):
        encode(np.array([1.0, value]), 16, 20)


@pytest.mark.parametrize(
    "values", [np.array(["a"]), np.array([None]), np.array([1j]), np.array(["2020-01-01"], "datetime64[D]")]
)
def test_what_is_no_number_is_refused(values):
    with pytest.raises(ShapeError):
        encode(values, 16, 20)


def test_what_does_not_fit_the_ring_is_refused():
    encode(np.array([1.0]), 40, 22)
    with pytest.raises(BoundError, match="do not fit 62 bits"):
        encode(np.array([1.0]), 41, 22)


def test_errors_hold_no_value():
    with pytest.raises(BoundError) as caught:
        encode(np.array([123456789.0]), 16, 20)
    assert "123456789" not in str(caught.value)
    assert "123456789" not in str(caught.value.where)


doubles = st.floats(allow_nan=False)


@given(doubles, doubles)
def test_keys_keep_the_order_of_doubles(a, b):
    if a == b:
        b = a
    assert (key_of_float(a) < key_of_float(b)) == (a < b)


def test_keys_at_the_ends():
    top = math.nextafter(math.inf, 0.0)
    ordered = [-math.inf, -top, -1.0, -5e-324, -0.0, 0.0, 5e-324, 1.0, top, math.inf]
    keys = list(map(key_of_float, ordered))
    assert all(a < b for a, b in pairwise(keys))
    assert keys[0] >= -(2**63)
    assert keys[-1] < 2**63
    assert keys[4:6] == [-1, 0]


@given(doubles)
def test_keys_come_back(value):
    back = float_of_key(key_of_float(value))
    assert back == value
    assert math.copysign(1.0, back) == math.copysign(1.0, value)


@given(st.integers(-(2**63), 2**64 - 1) | st.sampled_from([NOTHING, -NOTHING]))
def test_keys_travel_in_two_words_of_34_bits(key):
    words = words_of_key(key)
    high, low = words.reshape(-1).view(np.int64).tolist()
    assert (words.shape, words.dtype) == ((2, 1), np.uint64)
    assert -(2**32) <= high <= 2**32
    assert -(2**31) <= low < 2**31
    assert key_of_words(high, low) == key


@given(hnp.arrays(np.int64, st.integers(0, 20)) | hnp.arrays(np.uint64, st.integers(0, 20)))
def test_words_of_many_keys_are_those_of_each(keys):
    words = words_of_keys(keys)
    assert (words.shape, words.dtype) == ((2, keys.size), np.uint64)
    assert all(np.array_equal(words[:, [i]], words_of_key(key)) for i, key in enumerate(keys.tolist()))


@pytest.mark.parametrize("nothing", [NOTHING, -NOTHING])
@pytest.mark.parametrize("key", [-(2**63), -1, 0, 2**63 - 1, 2**64 - 1, NOTHING, -NOTHING])
def test_nothing_differs_from_all_keys_within_words_of_35_bits(nothing, key):
    """And is itself one of 34, so that keys of cells are compared as others are."""
    assert np.abs(words_of_key(nothing).view(np.int64)).max() < 2**33
    assert np.abs((words_of_key(key) - words_of_key(nothing)).view(np.int64)).max() <= 2**33
