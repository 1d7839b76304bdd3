"""A lease lapses once, in time, and only when nobody renews it."""

import threading
from dataclasses import replace

import pytest

from icm_ray.errors import BoundError
from icm_ray.transport import Lease
from icm_ray.transport import lease as lease_module
from tests.transport.standing_clock import StandingClock


@pytest.fixture
def clock(monkeypatch):
    """The clock of leases."""
    clock = StandingClock()
    monkeypatch.setattr(lease_module, "monotonic", clock)
    return clock


def test_a_lease_lapses_once(clock):
    lapses = threading.Semaphore(0)
    with Lease(0.1, lapses.release) as lease:
        clock.seen_at(0.09)
        assert not lease.lapsed
        clock.set(0.1)
        assert lapses.acquire(timeout=20)
        assert lease.lapsed
        lease.renew()
        clock.set(1.0)
        assert not lapses.acquire(timeout=0.05)
    assert lease.lapsed


def test_a_renewed_lease_goes_on(clock):
    lapsed = threading.Event()
    with Lease(0.1, lapsed.set) as lease:
        for turn in range(1, 5):
            clock.seen_at(turn * 0.09)
            assert not lapsed.is_set()
            lease.renew()
        clock.seen_at(4 * 0.09 + 0.09)
        assert not lapsed.is_set()
        clock.set(4 * 0.09 + 0.11)
        assert lapsed.wait(20)


def test_a_closed_lease_does_not_lapse(clock, engine_threads):
    lapsed = threading.Event()
    lease = Lease(0.05, lapsed.set)
    lease.close()
    lease.close()
    clock.set(1.0)
    assert engine_threads() == []
    assert not lapsed.is_set()
    assert not lease.lapsed


def test_a_lease_may_be_closed_where_it_lapses():
    closed = threading.Event()
    leases = []
    ready = threading.Event()

    def lapse():
        ready.wait(5)
        leases[0].close()
        closed.set()

    leases.append(Lease(0.01, lapse))
    ready.set()
    assert closed.wait(5)


def test_a_lease_must_have_a_length():
    for limit in (0, -1, float("nan")):
        with pytest.raises(BoundError):
            Lease(limit, lambda: None)


def test_heartbeats_of_a_link_renew_a_lease(tcp_pair, quick, stack, clock):
    driver, worker = tcp_pair(replace(quick, heartbeat=0.05, silence=60.0))
    lapsed, heard = threading.Event(), threading.Semaphore(0)
    lease = stack.enter_context(Lease(0.1, lapsed.set))

    def hear():
        lease.renew()
        heard.release()

    worker.start_listening(lambda _: None, on_heard=hear)
    for turn in range(1, 6):
        clock.set(turn * 0.09)
        while heard.acquire(blocking=False):
            pass
        assert heard.acquire(timeout=20)  # may have been on its way before
        assert heard.acquire(timeout=20)
    assert not lapsed.is_set()
    driver.abort()
    clock.set(10.0)
    assert lapsed.wait(20)
