"""Attempt numbers only grow, and the same run twice uses other masks."""

import numpy as np
import pytest

from icm_ray.errors import BoundExceeded
from icm_ray.names import DEALER, DRIVER
from icm_ray.program.program import encode_program
from icm_ray.program.stamped import RunSettings
from icm_ray.runtime.driver.engine import LaneJob
from icm_ray.runtime.driver.run import _give, _tasks
from icm_ray.runtime.orders import messages as say
from icm_ray.runtime.orders.jobs import Job
from tests.runtime import programs


def shares(lane, number: int, job: LaneJob):
    """Every party's share of the result as it arrives here, and every member's attempt."""
    members = (*job.program.parties, DEALER)
    found = {}
    with lane.using():
        call = lane.next_call()
        order = Job(number, job.partition, encode_program(job.program), RunSettings(), _tasks(job))
        lane.tell({name: say.Run(call, order) for name in members})
        _give(lane, order, job)
        lane.collect(members, call, "prepare", partition=0)
        lane.tell({name: say.Commit(call) for name in members})
        done = lane.collect(
            members,
            call,
            "run",
            partition=0,
            on_result=lambda name, message: found.__setitem__(name, np.frombuffer(message.words, np.uint64)),
        )
    return found, {name: answer.report.attempt for name, answer in done.items()}


@pytest.mark.few(1)
def test_the_same_run_twice(lanes):
    lane = lanes._lanes[0]
    words = np.arange(64, dtype=np.uint64)
    builder_job = LaneJob(0, programs.compared(lanes, 64, DRIVER), given={"carol": {"x": words}})
    program = programs.pooled_sum(lanes, DRIVER, 64, ("alice", "bob"))
    job = LaneJob(0, program, given={"alice": {"from alice": words}, "bob": {"from bob": words}})
    first, attempts = shares(lane, 10_001, job)
    assert len(set(attempts.values())) == 1
    second, later = shares(lane, 10_001, job)  # even under the same number
    assert set(later.values()) == {attempts["dealer"] + 1}
    assert (sum(first.values()) == sum(second.values())).all()
    for name in lanes.parties:
        assert (first[name] != second[name]).all()
    lanes.execute([builder_job])
    _, latest = shares(lane, 10_002, job)
    assert set(latest.values()) == {attempts["dealer"] + 3}


@pytest.mark.few(1)
def test_attempts_go_on_growing_after_a_run_that_ended_early(lanes):
    lane = lanes._lanes[1]
    words = np.arange(8, dtype=np.uint64)
    program = programs.pooled_sum(lanes, DRIVER, 8, ("alice", "bob"))
    job = LaneJob(1, program, given={"alice": {"from alice": words}, "bob": {"from bob": words}})
    _, before = shares(lane, 10_003, job)
    flagged = {"alice": {"value": programs.ring([3.0]), "flag": np.ones(1, np.uint64)}}
    with pytest.raises(BoundExceeded):
        lanes.execute([LaneJob(1, programs.guarded(lanes, "bob"), given=flagged)])
    _, after = shares(lane, 10_004, job)
    assert set(after.values()) == {before["dealer"] + 2}
