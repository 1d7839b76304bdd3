"""A driver whose interpreter is held by one long call into C: nobody takes anybody for silent."""

import ctypes
import threading

import numpy as np
import pytest

from icm_ray.config import EngineConfig
from icm_ray.errors import PeerLost, SessionError
from icm_ray.runtime.carriers.processes import ProcessEngine
from icm_ray.runtime.driver.engine import LaneJob
from icm_ray.runtime.driver.patience import Patience
from tests.runtime import programs

ROWS = 100
SILENCE = 0.8
HELD = 2.4
"""Seconds: three times what makes a peer silent."""


def hold(seconds: float) -> None:
    """Sleep without giving the interpreter to other threads."""
    ctypes.PyDLL(None).usleep(int(seconds * 1e6))


def job(engine):
    program = programs.pooled_sum(engine, "alice", ROWS, ("alice", "bob"))
    return LaneJob(0, program, given={name: {f"from {name}": np.ones(ROWS, np.uint64)} for name in ("alice", "bob")})


@pytest.mark.parametrize("tls", [pytest.param(False, marks=pytest.mark.slow), True], ids=["plain", "tls"])
def test_a_session_outlives_a_held_driver(tls):
    config = EngineConfig(heartbeat=0.1, silence=SILENCE, tls=tls, free_programs=True)
    with ProcessEngine(config=config) as engine:
        engine.execute([job(engine)])
        hold(HELD)  # between runs
        (done,) = engine.execute([job(engine)])
        assert done.results["total"].tolist() == [2 * ROWS]
        threading.Timer(0.01, hold, (HELD,)).start()  # in the middle of one
        (done,) = engine.execute([job(engine)])
        assert done.results["total"].tolist() == [2 * ROWS]


def test_the_lease_is_longer_than_any_silence():
    config = EngineConfig()
    assert config.lease == 60.0
    assert config.lease > 5 * config.silence


def test_a_driver_that_was_silent_for_longer_than_the_lease_is_told_so():
    config = EngineConfig(heartbeat=0.2, silence=0.5, lease=0.5, free_programs=True)
    with ProcessEngine(config=config) as engine:
        engine.execute([job(engine)])
        hold(1.5)
        for handle in engine.handles:
            assert handle.ended(5.0)
            assert handle.lost() == "its process ended itself, having heard nothing more of this one"
        with pytest.raises(PeerLost, match=r"the driver was silent for longer than its lease of 0\.5 s") as caught:
            engine.execute([job(engine)])
        assert "ICM_LEASE" in str(caught.value)
        assert caught.value.party in {"alice", "bob", "dealer"}
        with pytest.raises(SessionError, match="longer than its lease"):
            engine.execute([job(engine)])


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_patience_ends_in_time():
    clock = Clock()
    patience = Patience(2.0, 0.5, clock)
    for _ in range(4):
        clock.now += 0.5
        assert not patience.over()
    clock.now += 0.1
    assert patience.over()


def test_time_in_which_nobody_looked_counts_as_one_look():
    clock = Clock()
    patience = Patience(2.0, 0.5, clock)
    for _ in range(4):
        clock.now += 60.0
        assert not patience.over()
    clock.now += 60.0
    assert patience.over()
