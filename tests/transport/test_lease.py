"""A lease lapses once, in time, and only when nobody renews it."""

import threading
from dataclasses import replace
from time import monotonic

import pytest

from icm_ray.errors import BoundError
from icm_ray.transport import Lease


def test_a_lease_lapses_once():
    lapses = threading.Semaphore(0)
    start = monotonic()
    with Lease(0.1, lapses.release) as lease:
        assert lapses.acquire(timeout=5)
        assert monotonic() - start >= 0.1
        assert lease.lapsed
        lease.renew()
        assert not lapses.acquire(timeout=0.2)
    assert lease.lapsed


def test_a_renewed_lease_goes_on():
    lapsed = threading.Event()
    start = monotonic()
    with Lease(0.2, lapsed.set) as lease:
        while monotonic() - start < 0.5:
            assert not lapsed.wait(0.02)
            lease.renew()
        renewed = monotonic()
        assert lapsed.wait(5)
        assert monotonic() - renewed >= 0.19


def test_a_closed_lease_does_not_lapse(engine_threads):
    lapsed = threading.Event()
    lease = Lease(0.05, lapsed.set)
    lease.close()
    lease.close()
    assert not lapsed.wait(0.15)
    assert not lease.lapsed
    assert engine_threads() == []


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


def test_heartbeats_of_a_link_renew_a_lease(tcp_pair, quick, stack):
    driver, worker = tcp_pair(replace(quick, heartbeat=0.05, silence=5.0))
    lapsed = threading.Event()
    lease = stack.enter_context(Lease(0.3, lapsed.set))
    worker.start_listening(lambda _: None, on_heard=lease.renew)
    assert not lapsed.wait(0.6)
    driver.abort()
    assert lapsed.wait(5)
