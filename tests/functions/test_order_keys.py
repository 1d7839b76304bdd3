"""The largest of order keys on shares, against Python's integers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icm_ray.functions.order_keys import key_type, largest_key
from icm_ray.ops.linear import Input, Reveal, Scale
from icm_ray.program.build import Builder
from icm_ray.ring.fixed import key_of_words, words_of_key
from tests.thread_lane import ThreadLane

NAMES = ("alice", "bob", "carol")
LOWEST, HIGHEST = -(2**63), 2**64 - 1
anywhere = st.integers(LOWEST, HIGHEST)
edges = st.sampled_from([LOWEST, HIGHEST, -1, 0, 2**32 - 1, 2**32, -(2**32), 2**63 - 1, 2**63])
neighbours = st.builds(lambda key, step: min(max(key + step, LOWEST), HIGHEST), edges, st.integers(-2, 2))


def ends(keys, parties):
    """The least and the largest key, as they are opened."""
    builder = Builder(parties)
    shared = [builder.add(Input(parties[at % len(parties)], f"key {at}", key_type(1))) for at in range(len(keys))]
    negated = [builder.add(Scale(-1), key) for key in shared]
    builder.add(Reveal("bob", "max"), largest_key(builder, shared))
    builder.add(Reveal("bob", "min"), builder.add(Scale(-1), largest_key(builder, negated)))
    brought = {name: {} for name in parties}
    for at, key in enumerate(keys):
        brought[parties[at % len(parties)]][f"key {at}"] = words_of_key(key)
    with ThreadLane(parties) as lane:
        results = lane.run(builder.build(), brought)["bob"].results
    return tuple(key_of_words(*results[name].reshape(-1).view(np.int64).tolist()) for name in ("min", "max"))


@given(st.lists(anywhere | neighbours, min_size=1, max_size=9), st.sampled_from([2, 3]))
@settings(max_examples=30)
def test_the_ends_of_keys(keys, count):
    assert ends(keys, NAMES[:count]) == (min(keys), max(keys))


@pytest.mark.parametrize("keys", [[LOWEST, HIGHEST], [5, 5], [2**32, 2**32 - 1], [-1, 0], [HIGHEST - 1, HIGHEST]])
def test_two_keys(keys):
    assert ends(keys, NAMES[:2]) == ends(keys[::-1], NAMES[:2]) == (min(keys), max(keys))
