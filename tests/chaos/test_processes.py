"""A member of a lane of processes is killed or stopped in the middle of a run."""

import os
import signal
from time import monotonic

import pytest

from icm_ray.config import EngineConfig
from icm_ray.errors import PeerLost, PeerSilent, SessionClosed, SessionError
from icm_ray.ops.linear import Load, Reveal, Sum
from icm_ray.program.build import Builder
from icm_ray.runtime.carriers.processes import ProcessEngine
from icm_ray.runtime.driver.engine import LaneJob
from tests.chaos.victims import QUICK, ROWS, alive, fails_after, gone
from tests.runtime import programs

pytestmark = pytest.mark.chaos
HEAVY = pytest.mark.slow
MEMBERS = ["alice", "bob", "dealer", "carol"]


def pids(engine: ProcessEngine) -> dict[str, int]:
    return {handle.name: handle.process.pid for handle in engine.handles}


def struck(victim: str, how: int, config: EngineConfig, parties=("alice", "bob")):
    with ProcessEngine(parties, ("carol",), config=config) as engine:
        processes = pids(engine)
        error, seconds = fails_after(engine, processes[victim], how)
        assert error.party == victim
        assert error.partition is not None
        assert error.step
        assert victim in str(error)
        with pytest.raises(SessionError, match=victim):
            engine.execute([])
        assert gone(processes.values(), 1.0) == []
    with pytest.raises(SessionClosed):
        engine.execute([])
    return error, seconds


@pytest.mark.parametrize("victim", ["dealer", *(pytest.param(name, marks=HEAVY) for name in ("alice", "bob", "carol"))])
def test_killed(victim):
    error, seconds = struck(victim, signal.SIGKILL, QUICK)
    assert isinstance(error, PeerLost)
    assert seconds < 2.5


@pytest.mark.parametrize("victim", ["bob", *(pytest.param(name, marks=HEAVY) for name in ("alice", "dealer", "carol"))])
def test_stopped(victim):
    error, seconds = struck(victim, signal.SIGSTOP, QUICK)
    assert isinstance(error, PeerSilent)
    assert seconds < QUICK.silence + 5


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["charlie", "dealer"])
def test_one_of_three_parties_killed(victim):
    error, _ = struck(victim, signal.SIGKILL, QUICK, ("alice", "bob", "charlie"))
    assert isinstance(error, PeerLost)


@pytest.mark.slow
@pytest.mark.parametrize("victim", MEMBERS)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_with_default_limits(victim, how):
    _, seconds = struck(victim, how, EngineConfig(free_programs=True))
    assert seconds < 30


def test_one_lane_of_two():
    """The other lane goes on, and what it keeps is there; new tables go to it alone."""
    with ProcessEngine(lanes=2, config=QUICK) as engine:
        given = {"alice": {"column": programs.ring(range(ROWS))}}
        engine.execute([LaneJob(0, programs.kept(engine, "alice", "k", ROWS), given=given)])
        victim = engine.handles[4]  # the second lane's bob
        processes = [handle.process.pid for handle in engine.handles]
        error, seconds = fails_after(engine, victim.process.pid, signal.SIGKILL)
        assert victim.name == error.party == "bob"
        assert error.partition is not None
        assert error.partition % 2 == 1
        assert seconds < 2.5
        assert engine.usable_lanes == (0,)
        builder = Builder(engine.parties)
        builder.add(Reveal("alice", "sum"), builder.add(Sum(), builder.add(Load("k", programs.column(ROWS)))))
        (done,) = engine.execute([LaneJob(0, builder.build())])
        assert done.results["sum"].tolist() == [sum(range(ROWS)) << programs.column(ROWS).f]
        with pytest.raises(SessionError, match="bob"):
            engine.execute([LaneJob(1, builder.build())])
    assert alive(processes) == []


def test_a_worker_that_dies_while_it_is_idle():
    with ProcessEngine(config=QUICK) as engine:
        os.kill(pids(engine)["bob"], signal.SIGKILL)
        program = programs.compared(engine, ROWS, "alice")
        with pytest.raises(PeerLost, match="bob") as caught:
            engine.execute([LaneJob(0, program, given={"bob": {"x": programs.ring(range(ROWS))}})])
        assert caught.value.party == "bob"


def test_one_that_is_looked_after_while_nothing_is_asked():
    with ProcessEngine(lanes=2, config=QUICK) as engine:
        engine.look()
        assert engine.usable_lanes == (0, 1)
        os.kill(engine.handles[4].process.pid, signal.SIGKILL)  # the second lane's bob
        until = monotonic() + 10
        while engine.usable_lanes != (0,):
            assert monotonic() < until
            engine.look()
        for kind in (PeerLost, SessionError):  # whoever asks first hears what happened
            with pytest.raises(kind, match="bob"):
                engine.execute([LaneJob(1, programs.compared(engine, ROWS, "alice"))])


def test_a_worker_that_dies_at_its_start(monkeypatch):
    started = []
    from icm_ray.runtime.carriers import processes

    class Dying(processes.ProcessHandle):
        def __init__(self, name, *settings):
            super().__init__(name, *settings)
            started.append(self.process.pid)
            if name == "bob":
                self.process.kill()

    monkeypatch.setattr(processes, "ProcessHandle", Dying)
    with pytest.raises(PeerLost, match="bob"):
        ProcessEngine(config=QUICK)
    assert len(started) == 3
    assert alive(started) == []
