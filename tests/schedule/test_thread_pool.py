"""Tasks by several threads: in the order that they need, never more at a time than there are threads."""

import threading

import pytest

from icm_ray.errors import BoundError, BoundExceeded, PeerLost
from icm_ray.ops.compare import AtLeast
from icm_ray.ops.forms import Matrix
from icm_ray.ops.linear import Input, Load, Reveal, Store
from icm_ray.ops.products import Epilogue, LoadWeight, OwnedProduct, Relu
from icm_ray.ops.values import FULL_WIDTH, ValueType
from icm_ray.program.build import Builder
from icm_ray.program.stamped import RunSettings, Stamped
from icm_ray.schedule import parallel_threshold
from icm_ray.schedule.dependencies import needs_by_key
from icm_ray.schedule.thread_pool import ThreadPool

WAIT = 30.0
KIND = ValueType(shape=(2, 2), width=20)


class Gauge:
    """How many are inside at once, and the most so far."""

    def __init__(self):
        self.lock, self.now, self.most = threading.Lock(), 0, 0

    def __enter__(self):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)

    def __exit__(self, *_):
        with self.lock:
            self.now -= 1


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_all_threads_work_and_no_more(threads):
    gauge, together = Gauge(), threading.Barrier(threads)

    def act(task):
        with gauge:
            if task < threads:
                together.wait(WAIT)  # passes only when so many are inside at once

    with ThreadPool(threads) as pool:
        for _ in range(3):
            together.reset()
            pool.carry_out([()] * 10, act)
    assert gauge.most == threads


def test_threads_end_with_the_block():
    before = set(threading.enumerate())
    with ThreadPool(3) as pool:
        pool.carry_out([()] * 6, lambda task: None)
    assert set(threading.enumerate()) == before


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_a_task_follows_what_it_needs(threads):
    needs = [(), (0,), (), (1, 2), (3,), (3,), (0, 5)]
    ended, wrong = set(), []

    def act(task):
        wrong.extend(source for source in needs[task] if source not in ended)
        ended.add(task)

    with ThreadPool(threads) as pool:
        pool.carry_out(needs, act)
    assert ended == set(range(len(needs)))
    assert not wrong


def test_nobody_is_further_ahead_than_allowed():
    """The first task ends last: it waits for all that may begin before it has."""
    ahead, begun, four = 4, [], threading.Event()

    def act(task):
        begun.append(task)
        if len(begun) == ahead:
            four.set()
        if task == 0:
            assert four.wait(WAIT)
            assert sorted(begun) == list(range(ahead))

    with ThreadPool(3) as pool:
        pool.carry_out([()] * 12, act, ahead)
    assert sorted(begun) == list(range(12))


def test_the_first_error_is_raised_and_the_others_waited_for():
    failed, ended = threading.Event(), []

    def act(task):
        if task == 1:
            failed.set()
            raise BoundExceeded("the bound", step="x")
        assert failed.wait(WAIT)
        ended.append(task)
        raise PeerLost("later", party="bob", step="y")

    with ThreadPool(2) as pool:
        with pytest.raises(BoundExceeded, match="the bound"):
            pool.carry_out([(), (), (), ()], act)
        assert ended == [0]
        done = []
        pool.carry_out([(), ()], done.append)  # the next round is not touched by it
        assert sorted(done) == [0, 1]


def test_a_lone_task_may_use_all_threads_and_others_what_is_left():
    seen, inside = [], threading.Barrier(2)

    def act(task):
        if task < 2:
            inside.wait(WAIT)
        with pool.borrow() as threads:
            seen.append(threads)
            if task < 2:
                inside.wait(WAIT)

    with ThreadPool(3) as pool:
        with pool.borrow() as threads:
            assert threads == 3
            with pool.borrow() as more:
                assert more == 1
        pool.carry_out([(), (), (0, 1)], act)
    assert sorted(seen[:2]) == [1, 2]  # three in all
    assert seen[2] == 3


def test_no_task_begins_while_its_thread_is_lent():
    gauge, lent = Gauge(), threading.Event()

    def act(task):
        with gauge:
            if task == 0:
                with pool.borrow() as threads:
                    seen.append(threads)
                    lent.set()
            elif task == 1:
                assert lent.wait(WAIT)

    seen = []
    with ThreadPool(2) as pool:
        pool.carry_out([(), (), (0,)], act)
    assert seen == [1]
    assert gauge.most <= 2


def test_a_crew_has_one_at_least():
    with pytest.raises(BoundError, match="not 0"):
        ThreadPool(0)


def test_who_writes_a_key_comes_after_who_reads_it():
    weight = LoadWeight("alice", "w", "m", KIND)
    use = OwnedProduct("alice", "m", Matrix(), KIND, 3)
    ops = [weight, use, use, weight, use, Load("m", KIND), Store("n"), Load("n", KIND), Reveal("bob", "n")]
    assert needs_by_key(ops) == [set(), {0}, {0}, {0, 1, 2}, {3}, {3}, set(), {6}, set()]


@pytest.mark.parametrize("threads", [2, 3, 4])
def test_enough_blocks_are_in_flight(monkeypatch, threads):
    monkeypatch.setattr(parallel_threshold, "LEAST", 1)

    def plan(number):
        builder = Builder(("alice", "bob"))
        x = builder.add(Input("alice", "x", ValueType(shape=(100_000,), width=FULL_WIDTH)))
        builder.add(Reveal("bob", "y"), builder.add(Relu(Epilogue(relu=True)), x))
        return Stamped(builder.build(), RunSettings(1 << 20, number)).plan()

    one, several = plan(1), plan(threads)
    firsts = [start for step, start in zip(several.steps, several.starts, strict=True) if isinstance(step.op, Relu)]
    assert firsts.count(0) >= threads
    assert several.cost.sent == one.cost.sent


def test_small_values_are_not_cut_for_threads():
    def plan(threads):
        builder = Builder(("alice", "bob"))
        x = builder.add(Input("alice", "x", ValueType(shape=(1000,), width=20)))
        builder.add(Reveal("bob", "y"), builder.add(AtLeast(3), x))
        return Stamped(builder.build(), RunSettings(threads=threads)).plan()

    assert plan(8) == plan(1)
