"""The ways into the wide ring: bit for bit against their plaintext twins, counters against the declaration."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icm_ray.errors import BoundError
from icm_ray.ops.linear import Input, Reveal
from icm_ray.ops.values import ValueType
from icm_ray.ops.wide import SquareParts, Widen
from icm_ray.program.build import Builder
from icm_ray.ring.wide import to_signed
from tests.protocols.cases import Case, signed
from tests.protocols.test_against_reference import test_protocol_is_its_reference as hold_to_reference
from tests.thread_lane import ThreadLane

CASES = (
    Case("widen", Widen(), (ValueType(shape=(40,), width=63, f=16),)),
    Case("widen_small", Widen(), (ValueType(shape=(9,), width=8),)),
    Case("widen_far", Widen(67), (ValueType(shape=(9,), width=63),)),
    Case("square_parts", SquareParts(19), (ValueType(shape=(700,), width=38, f=16),)),
    Case("square_parts_integers", SquareParts(16), (ValueType(shape=(300,), width=33),)),
    Case("square_parts_of_one", SquareParts(20), (ValueType(shape=(1,), width=50),)),
)


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bit_exact_and_as_declared(case, count):
    hold_to_reference(case, count)


def run(op, values, width, parties=("alice", "bob", "carol")):
    builder = Builder(parties)
    x = builder.add(Input("alice", "x", ValueType(shape=values.shape, width=width)))
    builder.add(Reveal("bob", "y"), builder.add(op, x))
    with ThreadLane(parties) as lane:
        return lane.run(builder.build(), {"alice": {"x": values.view(np.uint64)}})["bob"].results["y"]


EDGES = [0, 1, -1, 2**61, -(2**61), 2**62 - 1, -(2**62) + 1, -(2**62)]


@given(st.lists(st.integers(-(2**62), 2**62 - 1), min_size=1, max_size=20))
@settings(max_examples=20)
def test_widen_keeps_every_number(values):
    values = np.array(values + EDGES, np.int64)
    for limbs in (2, 4, 67):
        assert to_signed(run(Widen(limbs), values, 63)) == values.tolist()


@given(st.lists(st.integers(-(2**37), 2**37 - 1), min_size=1, max_size=50), st.integers(17, 20))
@settings(max_examples=20)
def test_the_parts_make_up_the_sum_of_squares(values, shift):
    values = np.array([*values, -(2**37), 2**37 - 1, 0], np.int64)
    high, mixed, low = run(SquareParts(shift), values, 38).view(np.int64).tolist()
    assert (high << 2 * shift) + (mixed << shift + 1) + low == sum(value**2 for value in values.tolist())


@pytest.mark.parametrize(
    ("op", "kind"),
    [
        (Widen(), ValueType(shape=(1,), width=64)),
        (SquareParts(16), ValueType(shape=(1,), width=64)),
        (SquareParts(20), ValueType(shape=(2**30,), width=40)),
    ],
)
def test_what_does_not_fit_is_refused(op, kind):
    with pytest.raises(BoundError, match="declare a smaller bound"):
        op.infer(kind)


def test_drawn_values_reach_the_edges():
    assert signed(np.random.default_rng(1), ValueType(shape=(9,), width=8)).view(np.int64).min() == -128
