"""Workers that stand by: each is used once, holds nobody's keys before, and ends with its instance."""

from __future__ import annotations

import subprocess
import sys
from time import monotonic, sleep

import pytest

import icm_ray as icm
from icm_ray.config import EngineConfig
from icm_ray.instance.halves import Halves
from icm_ray.instance.settings import Limits, Settings
from icm_ray.runtime.carriers import house_workers
from icm_ray.runtime.carriers.house_workers import ProcessWorkers
from icm_ray.runtime.carriers.processes import ProcessHandle
from icm_ray.runtime.orders.house import HouseFacts
from icm_ray.runtime.orders.lane_plan import Place

HERE = Place("127.0.0.1")
ALICES = HouseFacts(("bob", "127.0.0.1", 1, b""), "alice")
_SOON = 20.0


def until(there):
    deadline = monotonic() + _SOON
    while not there():
        assert monotonic() < deadline
        sleep(0.01)


@pytest.fixture
def made(monkeypatch):
    """Workers, and the processes that stood by, in order."""
    monkeypatch.setattr(house_workers, "_QUIET", 0.05)
    workers = ProcessWorkers("bob", EngineConfig(), 1)
    yield workers
    workers.close()


def standing(workers):
    until(lambda: workers._spares)
    return workers._spares[0].process


def end(handle):
    handle.kill()
    assert handle.ended(_SOON)


@pytest.mark.slow
def test_one_stands_by_serves_once_and_another_takes_its_place(made):
    first = standing(made)
    handle = made.start("bob", HERE, ALICES)
    assert handle.process is first
    second = standing(made)
    assert second.pid != first.pid
    name, host, _, certificate = handle.endpoint().result()
    assert (name, host) == ("bob", "127.0.0.1")
    end(handle)
    other = made.start("bob", HERE, ALICES)
    assert other.process is second
    assert other.endpoint().result()[3] != certificate, "its identity is made when it is told whom it serves"
    end(other)


@pytest.mark.slow
def test_one_that_died_meanwhile_is_not_used(made):
    gone = standing(made)
    gone.kill()
    gone.wait(_SOON)
    handle = made.start("bob", HERE, ALICES)
    assert handle.process is not gone
    assert handle.endpoint().result()[0] == "bob"
    end(handle)


def test_they_end_with_their_instance(made):
    process = standing(made)
    made.close()
    assert process.wait(_SOON) is not None
    made._fill()
    assert not made._spares, "none is started after that"


@pytest.mark.slow
def test_one_whose_instance_was_killed_ends_by_itself():
    handle = ProcessHandle("bob", None)
    handle.pipe.close()
    assert handle.process.wait(_SOON) == 3


def test_none_is_started_where_none_is_wanted():
    workers = ProcessWorkers("bob", EngineConfig(), 0)
    workers._fill()
    assert not workers._spares
    assert not workers._timer.is_alive()


@pytest.mark.slow
def test_they_count_once_they_serve(monkeypatch):
    monkeypatch.setattr(house_workers, "_QUIET", 0.05)
    halves = Halves(Settings("bob", limits=Limits(workers=1)), EngineConfig(), lambda: ("bob", "127.0.0.1", 1, b""))
    try:
        process = standing(halves._workers)
        halves.start("alice", "0123456789abcdef", 0)
        assert halves.of("alice", "0123456789abcdef", 0).handle.process is process
        standing(halves._workers)
        with pytest.raises(icm.InstanceError, match="runs 1 workers for alice, which is its limit"):
            halves.start("alice", "0123456789abcdef", 1)
    finally:
        halves.close()


@pytest.mark.slow
def test_what_the_first_order_would_wait_for_is_loaded():
    """A kernel is run, and what Arrow loads with its first array is there."""
    lines = (
        "import sys, icm_ray.runtime.worker.worker_main as main",
        "assert not {'numba.np.arraymath', 'pandas'} & set(sys.modules)",
        "main.load_ahead()",
        "assert {'numba.np.arraymath', 'pandas'} <= set(sys.modules)",
    )
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True, timeout=60)
