"""A stream of jobs over lanes: who gets the next one, what a failure does, and what leaving it does."""

import threading

import numpy as np
import pytest

from icm_ray.errors import BoundExceeded
from icm_ray.names import DRIVER
from icm_ray.runtime.driver.engine import Execution, LaneJob
from icm_ray.runtime.driver.lane import Interrupted
from icm_ray.runtime.driver.stream import stream
from tests.runtime import programs


class FakeLane:
    def __init__(self, index):
        self.index = index


def job(lane, number):
    return LaneJob(lane, None, number)


def source(count):
    """Gives that many jobs, one by one; and what was given to which lane."""
    given = []

    def more(lane):
        if len(given) == count:
            return None
        given.append(lane)
        return [job(lane, len(given) - 1)]

    return more, given


def test_a_lane_that_is_slow_holds_no_other_up():
    lanes, stuck = [FakeLane(0), FakeLane(1)], threading.Event()
    more, given = source(9)

    def execute(jobs):
        if jobs[0].partition == 0:
            assert stuck.wait(60)
        return [Execution({})]

    done = []
    for item in stream(lanes, more, execute):
        done.append(item.jobs[0].partition)
        if len(done) == 7:  # all but what the slow lane has: one at work, and one that follows
            stuck.set()
    assert given[:4] == [0, 1, 0, 1]
    assert given[4:] == [1] * 5
    assert sorted(done) == list(range(9))


def test_a_failure_is_told_in_its_place_and_ends_nothing():
    more, _ = source(5)

    def execute(jobs):
        if jobs[0].partition == 1:
            raise BoundExceeded("withheld")
        return [Execution({})]

    items = list(stream([FakeLane(0)], more, execute))
    assert [item.error is None for item in items] == [True, False, True, True, True]
    assert not items[1].done


def test_what_a_lane_has_ended_meanwhile_is_told_in_its_order():
    for _ in range(20):  # a set of two futures may have the right order by chance
        ended = [threading.Event() for _ in range(4)]
        take, given = source(4)

        def more(lane, take=take, given=given, ended=ended):
            if len(given) == 3:  # the first lane's two end before anybody looks
                assert ended[0].wait(60)
                assert ended[2].wait(60)
            return take(lane)

        def execute(jobs, ended=ended):
            ended[jobs[0].partition].set()
            return [Execution({})]

        told = [item.jobs[0].partition for item in stream([FakeLane(0), FakeLane(1)], more, execute)]
        assert told.index(0) < told.index(2)
        assert told.index(1) < told.index(3)


def test_what_comes_back_after_the_last_one_is_run_too():
    again, given = [], []

    def more(lane):
        if again:
            return [job(lane, again.pop())]
        if given:
            return None
        given.append(lane)
        return [job(lane, 0)]

    done = []
    for item in stream([FakeLane(0)], more, lambda _: [Execution({})]):
        done.append(item.jobs[0].partition)
        if len(done) < 3:
            again.append(len(done))
    assert done == [0, 1, 2]


def test_a_lane_that_gets_none_ever_is_left_out():
    given = []

    def more(lane):
        if lane == 0:
            return ()
        given.append(lane)
        return [job(lane, 0)] if len(given) < 4 else None

    assert len(list(stream([FakeLane(0), FakeLane(1)], more, lambda _: [Execution({})]))) == 3


def test_leaving_it_interrupts_what_runs_and_drops_what_waits():
    more, _ = source(20)
    ran = []

    def execute(jobs):
        ran.append(jobs[0].partition)
        if jobs[0].lane == 1:
            assert jobs[0].stop.wait(60)
        return [Execution({})]

    running = stream([FakeLane(0), FakeLane(1)], more, execute)
    next(running)
    running.close()
    assert 3 not in ran  # it waited behind the one that was interrupted


def test_leaving_it_interrupts_nobody_elses_jobs(lanes):
    lane, words = lanes._lanes[0], np.arange(8, dtype=np.uint64)
    program = programs.compared(lanes, 8, DRIVER)
    own = [LaneJob(index, program, given={"carol": {"x": words}}) for index in (0, 1)]
    given, look = [], lane._look

    def more(index):
        given.append(index)
        return [own[index]] if given.count(index) == 1 else ()

    others = threading.Event()
    with lane.using(others):  # somebody else's call, for which the stream's own job there waits
        running = lanes.stream(more)
        assert next(running).jobs[0].lane == 1
        running.close()
        look(None, "run")  # its owner goes on
        others.set()
        with pytest.raises(Interrupted):
            look(None, "run")
    lanes.execute(own)


def test_an_error_in_one_lane_interrupts_nobody_elses_call_in_another(lanes):
    with lanes._lanes[0].using():
        with pytest.raises(ZeroDivisionError):
            lanes._in_parallel([lambda _: 1 / 0, lambda stop: stop.wait(60)])
        lanes._lanes[0]._look(None, "run")


def test_an_error_of_the_source_is_the_users_own():
    def more(_):
        raise RuntimeError("the user's own")

    with pytest.raises(RuntimeError, match="the user's own"):
        list(stream([FakeLane(0)], more, lambda _: [Execution({})]))
