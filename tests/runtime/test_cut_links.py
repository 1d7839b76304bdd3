"""A connection between two members is cut while both live: a typed error, and the lane goes on with what it kept."""

import threading

import numpy as np
import pytest

from icm_ray.config import EngineConfig
from icm_ray.errors import PeerLost, PeerSilent
from icm_ray.ops.compare import AtLeast
from icm_ray.ops.linear import Load, Reveal, Store, Sum
from icm_ray.program.build import Builder
from icm_ray.runtime.carriers.threads import ThreadEngine
from icm_ray.runtime.driver.engine import LaneJob
from icm_ray.transport import MemoryLink
from tests.inside import parties_of
from tests.runtime import programs

ROWS = 500


def counted(engine):
    """Stores early, and has rounds after that."""
    builder = Builder(engine.parties)
    x = builder.add(Load("k", programs.column(ROWS)))
    builder.add(Store("early"), x)
    builder.add(Reveal("alice", "count"), builder.add(Sum(), builder.add(AtLeast(0), x)))
    return builder.build()


@pytest.mark.parametrize("after", [1, 2, 3])
def test_the_session_and_its_shares_stay(monkeypatch, after):
    receive, left = MemoryLink.receive, [after]

    def cutting(link, frame, parts):
        if link.peer == "bob":
            left[0] -= 1
            if not left[0]:
                link.abort()
        return receive(link, frame, parts)

    with ThreadEngine(config=EngineConfig(free_programs=True)) as engine:
        given = {"alice": {"column": programs.ring(np.arange(ROWS))}}
        engine.execute([LaneJob(0, programs.kept(engine, "alice", "k", ROWS), given=given)])
        program = counted(engine)
        monkeypatch.setattr(MemoryLink, "receive", cutting)
        with pytest.raises(PeerLost) as caught:
            engine.execute([LaneJob(0, program, 7)])
        assert caught.value.party in {"alice", "bob"}
        assert caught.value.partition == 7
        assert caught.value.step
        assert all(set(party.store) == {"k"} for party in parties_of(engine, 0).values())
        for _ in range(2):
            (done,) = engine.execute([LaneJob(0, program, 7)])
            assert done.results["count"].tolist() == [ROWS]


def test_a_run_beyond_its_time_costs_the_run_alone(monkeypatch):
    receive, abort, cut, held = MemoryLink.receive, MemoryLink.abort, threading.Event(), [True]

    def waiting(link, frame, parts):
        if link.peer == "bob" and held:
            held.clear()
            cut.wait(60)
        return receive(link, frame, parts)

    def aborting(link):
        cut.set()
        abort(link)

    with ThreadEngine(config=EngineConfig(free_programs=True, job_timeout=0.2)) as engine:
        given = {"alice": {"column": programs.ring(np.arange(ROWS))}}
        engine.execute([LaneJob(0, programs.kept(engine, "alice", "k", ROWS), given=given)])
        program = counted(engine)
        monkeypatch.setattr(MemoryLink, "receive", waiting)
        monkeypatch.setattr(MemoryLink, "abort", aborting)
        with pytest.raises(PeerSilent) as caught:
            engine.execute([LaneJob(0, program, 7)])
        assert caught.value.partition == 7
        (done,) = engine.execute([LaneJob(0, program, 7)])
        assert done.results["count"].tolist() == [ROWS]
