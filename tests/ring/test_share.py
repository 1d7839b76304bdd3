"""Additive sharing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icm_ray.ring.share import join, split


@given(st.lists(st.integers(0, 2**64 - 1), max_size=30), st.integers(1, 7))
@settings(max_examples=50)
def test_shares_join_to_the_value(values, parties):
    x = np.array(values, np.uint64)
    shares = split(x, parties)
    assert len(shares) == parties
    np.testing.assert_array_equal(join(shares), x)


@pytest.mark.parametrize("parties", [2, 3, 5])
def test_shares_are_fresh_and_of_the_value_s_shape(parties):
    x = np.zeros((4, 5, 6), np.uint64)
    one, two = split(x, parties), split(x, parties)
    assert all(share.shape == x.shape for share in one)
    words = np.concatenate([share.reshape(-1) for share in (one + two if parties > 2 else [one[0], two[0]])])
    assert np.unique(words).size == words.size
    assert not x.any(), "the value itself was changed"


def test_joining_changes_no_share():
    shares = split(np.arange(5, dtype=np.uint64), 3)
    before = [share.copy() for share in shares]
    join(shares)
    np.testing.assert_array_equal(shares, before)
