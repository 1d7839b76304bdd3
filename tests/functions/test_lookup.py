"""Values at places that are shares, against Python's lists."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icm_ray.errors import BoundError
from icm_ray.functions.lookup import at_places
from icm_ray.ops.linear import Input, Reveal, Slice
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder
from tests.thread_lane import ThreadLane

NAMES = ("alice", "bob")


@given(
    st.integers(1, 20).flatmap(
        lambda count: st.tuples(
            st.lists(st.integers(-(2**40), 2**40), min_size=count, max_size=count),
            st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9 * count)), min_size=1, max_size=4),
        )
    )
)
@settings(max_examples=20)
def test_values_at_places(case):
    values, places = case
    builder = Builder(NAMES)
    table = builder.add(Input("alice", "values", ValueType(shape=(len(values),), width=42, f=3)))
    scaled = builder.add(Input("bob", "scaled", ValueType(shape=(len(places),), width=9)))
    each = [(scale, builder.add(Slice(((at, at + 1, 1),)), scaled)) for at, (scale, _) in enumerate(places)]
    builder.add(Reveal("bob", "found"), at_places(builder, table, each))
    brought = {
        "alice": {"values": np.array(values, np.int64).view(np.uint64)},
        "bob": {"scaled": np.array([value for _, value in places], np.int64).view(np.uint64)},
    }
    with ThreadLane(NAMES) as lane:
        found = lane.run(builder.build(), brought)["bob"].results["found"].view(np.int64)
    wanted = [min(value // scale, len(values) - 1) for scale, value in places]
    assert found.tolist() == [values[place] for place in wanted]


def test_places_that_do_not_fit_are_refused():
    builder = Builder(NAMES)
    table, place = (builder.add(Input("alice", name, ValueType(shape=(9,), width=20))) for name in ("values", "place"))
    with pytest.raises(BoundError):
        at_places(builder, table, [(2**62, builder.add(Slice(((0, 1, 1),)), place))])
