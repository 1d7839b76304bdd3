"""What a plan lets a member be sent: enough for every program, and not a byte more."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icm_ray.ops.cost import Cost
from icm_ray.ops.linear import Load, Store
from icm_ray.ops.products import Epilogue, Relu
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder
from icm_ray.program.stamped import Stamped
from icm_ray.schedule.allowances import allowances
from tests.program.sample import PARTIES, every_operation

OTHER = PARTIES[1]


def test_every_correction_is_somebody_s():
    plan = Stamped(every_operation()).plan()
    assert sum(sum(allowed.corrections.values()) for allowed in plan.allowances.values()) == plan.cost.dealt
    for allowed in plan.allowances.values():
        assert max(allowed.corrections.values()) == allowed.largest <= allowed.ahead
        assert allowed.ahead <= sum(allowed.corrections.values())


def test_what_is_kept_follows_from_what_runs_at_a_time():
    """Steps one after the other, of one round each: a party keeps those of this round, the last and the next."""
    sizes = (10, 20, 30, 40, 50)
    costs = [Cost(1, (0, 0), size) for size in sizes]
    found = allowances(PARTIES[:2], costs, range(5), [OTHER] * 5)
    assert (found[OTHER].ahead, found[OTHER].largest) == (30 + 40 + 50, 50)
    assert found[PARTIES[0]].ahead == found[PARTIES[0]].largest == 0


@given(
    steps=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 100)), min_size=1, max_size=12),
    rounds_ahead=st.integers(0, 1),
)
@settings(max_examples=200)
def test_no_party_in_no_round_lacks_room(steps, rounds_ahead):
    starts = [start for start, _, _ in steps]
    costs = [Cost(rounds, (0, 0), size) for _, rounds, size in steps]
    allowed = allowances(PARTIES[:2], costs, starts, [OTHER] * len(steps))[OTHER]
    for now in range(12):
        there = [size for start, rounds, size in steps if start <= now + rounds_ahead and start + rounds >= now]
        assert sum(there) <= allowed.ahead


@pytest.mark.parametrize("dealt", [0, 7])
def test_a_program_without_corrections_allows_none(dealt):
    found = allowances(PARTIES[:2], [Cost(1, (8, 8), dealt)], [0], [OTHER])
    assert found[OTHER].corrections == ({0: 7} if dealt else {})


@pytest.mark.parametrize("parties", [2, 3])
def test_corrections_of_one_relu_come_over_two_lines(parties):
    """A network's first layer waits for half of them, then, and not for all."""
    builder = Builder(PARTIES[:parties])
    x = builder.add(Load("x", ValueType(shape=(1 << 15,), f=32, width=42)))
    builder.add(Store("y"), builder.add(Relu(Epilogue(shift=16, relu=True, width=43)), x))
    plan = Stamped(builder.build()).plan()
    sizes = sorted(sum(allowed.corrections.values()) for allowed in plan.allowances.values())
    assert sum(sizes) == plan.cost.dealt
    assert sizes[-1] < 0.6 * plan.cost.dealt
