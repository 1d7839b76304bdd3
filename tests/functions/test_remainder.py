"""Remainders of shared numbers, against Python's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icm_ray.errors import BoundError
from icm_ray.functions.remainder import remainder
from icm_ray.ops.linear import Input, Reveal
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder
from tests.thread_lane import ThreadLane

NAMES = ("alice", "bob")


@given(
    st.integers(1, 2**40).flatmap(
        lambda most: st.tuples(
            st.just(most), st.integers(1, 2 * most), st.lists(st.integers(0, most), min_size=1, max_size=5)
        )
    )
)
@settings(max_examples=20)
def test_remainders(case):
    most, divisor, numbers = case
    builder = Builder(NAMES)
    x = builder.add(Input("alice", "x", ValueType(shape=(len(numbers),), width=most.bit_length() + 1)))
    builder.add(Reveal("bob", "r"), remainder(builder, x, divisor, most))
    with ThreadLane(NAMES) as lane:
        run = lane.run(builder.build(), {"alice": {"x": np.array(numbers, np.uint64)}, "bob": {}})
    assert run["bob"].results["r"].tolist() == [number % divisor for number in numbers]


def test_what_does_not_fit_is_refused():
    builder = Builder(NAMES)
    x = builder.add(Input("alice", "x", ValueType(shape=(1,), width=63)))
    with pytest.raises(BoundError):
        remainder(builder, x, 3, 2**62)
