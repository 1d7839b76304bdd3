"""What the members of a lane say they spent their time on."""

import numpy as np
import pytest

from icm_ray.ops.linear import Input, Reveal
from icm_ray.ops.products import Epilogue, Relu
from icm_ray.ops.values import FULL_WIDTH, ValueType
from icm_ray.profile import Clock, Part
from icm_ray.program.build import Builder
from icm_ray.runtime.driver.engine import LaneJob
from tests.ring.counters import Counting
from tests.runtime import programs
from tests.thread_lane import ThreadLane

VALUES = {"alice": {"x": np.arange(-50, 50).astype(np.uint64)}}


def relu(parties):
    builder = Builder(parties)
    x = builder.add(Input("alice", "x", ValueType(shape=(100,), width=FULL_WIDTH)))
    builder.add(Reveal("bob", "y"), builder.add(Relu(Epilogue(relu=True)), x))
    return builder.build()


def test_parts_add_up_to_the_run():
    counters = {name: Counting() for name in ("alice", "bob", "dealer")}
    clocks = {name: Clock(now, Counting()) for name, now in counters.items()}
    with ThreadLane(("alice", "bob")) as lane:
        outcomes = lane.run(relu(lane.parties), VALUES, clocks=clocks)
    assert outcomes["bob"].results["y"].view(np.int64).tolist() == [max(x, 0) for x in range(-50, 50)]
    for name, clock in clocks.items():
        assert sum(clock.spent().values()) == counters[name].read - 1  # from the first reading to the last
    for name in lane.parties:
        assert {part for part, seconds in clocks[name].spent().items() if not seconds} == {Part.PRODUCTS, Part.CORES}
    unspent = {part for part, seconds in clocks["dealer"].spent().items() if not seconds}
    assert unspent == {Part.PRODUCTS, Part.PEERS, Part.DEALER, Part.CORES}


def test_every_member_reports(engine):
    program = relu(engine.parties)
    (done,) = engine.execute([LaneJob(0, program, given=VALUES, profile=True)])
    assert set(done.spent) == {"alice", "bob", "dealer"}
    for member, parts in done.spent.items():
        assert list(parts) == list(Part)
        assert min(parts.values()) >= 0
        if member != "dealer":
            assert 0 < sum(parts.values()) <= done.seconds


@pytest.mark.parametrize("to", ["bob", "carol"])
def test_owners_report_too(engine, to):
    program = programs.pooled_sum(engine, to, 10, ("alice", "carol"))
    given = {name: {f"from {name}": programs.ring(np.ones(10))} for name in ("alice", "carol")}
    (done,) = engine.execute([LaneJob(1, program, given=given, profile=True)])
    assert set(done.spent) == {"alice", "bob", "carol", "dealer"}


def test_who_is_not_asked_reports_nothing(engine):
    (done,) = engine.execute([LaneJob(0, relu(engine.parties), given=VALUES)])
    assert done.spent == {}
