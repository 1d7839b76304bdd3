"""Every protocol, bit for bit against its plaintext twin, with 2, 3 and 5 parties; and its counters against its
declaration.
"""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from icm_ray.ops.linear import Input, Reveal
from icm_ray.program.build import Builder
from icm_ray.program.program import Program
from icm_ray.program.run_header import Begin
from icm_ray.program.stamped import Stamped
from icm_ray.protocols.table import TABLE
from tests.protocols.cases import CASES, Case
from tests.thread_lane import ThreadLane

NAMES = ("alice", "bob", "carol", "dora", "emil")


def program_of(case: Case, parties: tuple[str, ...]) -> Program:
    builder = Builder(parties)
    inputs = [
        builder.add(Input(parties[index % len(parties)], f"x{index}", kind)) for index, kind in enumerate(case.types)
    ]
    result = builder.add(case.op, *inputs)
    builder.add(Reveal(parties[0], "y"), result)
    return builder.build()


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.few(105)
def test_protocol_is_its_reference(case: Case, count: int) -> None:
    parties, rng = NAMES[:count], np.random.default_rng(count)
    program, types = program_of(case, parties), program_of(case, parties).types()
    values = [case.draw(rng, kind) for kind in case.types]
    brought: dict[str, dict[str, np.ndarray]] = {name: {} for name in parties}
    for index, value in enumerate(values):
        brought[parties[index % count]][f"x{index}"] = value
    coins: dict[str, np.ndarray] = {}
    at = len(case.types)

    def observe(operation: int, what: str, opened: np.ndarray) -> None:
        if operation == at:
            coins[what] = opened.astype(np.uint64)

    with ThreadLane(parties) as lane:
        before = {name: sum(lane.counters(name, peer) for peer in parties if peer != name) for name in parties}
        dealt_before = sum(lane.counters("dealer", name) for name in parties)
        outcomes = lane.run(program, brought, observe={parties[0]: observe})
        sent = {
            name: sum(lane.counters(name, peer) for peer in parties if peer != name) - before[name] for name in parties
        }
        dealt = sum(lane.counters("dealer", name) for name in parties) - dealt_before
    protocol = TABLE[type(case.op)]
    expected = protocol.reference(case.op, types[:at], values, coins, types[at])
    np.testing.assert_array_equal(outcomes[parties[0]].results["y"], expected)

    cost = Stamped(program).cost()
    assert tuple(sent[name] for name in parties) == cost.sent
    assert all(outcome.rounds == cost.rounds for outcome in outcomes.values())
    begin = msgspec.msgpack.encode(Begin(1, Stamped(program).digest, 0, 1))
    assert dealt - cost.dealt == count * len(begin), "the dealer sent something else than it declared"
