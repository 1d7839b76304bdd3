"""What nobody thought of, in one thread of a lane, ends the lane's call with a typed error: nobody waits for ever."""

from itertools import count
from threading import Lock

import numpy as np
import pytest

from icm_ray.config import EngineConfig
from icm_ray.dealer.dealing import OperationDealing
from icm_ray.errors import FaultError, PeerLost, PeerSilent
from icm_ray.ops.linear import Input, Reveal
from icm_ray.ops.products import Epilogue, Relu
from icm_ray.ops.values import FULL_WIDTH, ValueType
from icm_ray.party.correlations import Corrections
from icm_ray.party.run import Run
from icm_ray.program.build import Builder
from icm_ray.program.stamped import RunSettings
from icm_ray.runtime.carriers.threads import ThreadEngine
from icm_ray.runtime.driver.engine import LaneJob
from icm_ray.runtime.worker.worker import Worker
from icm_ray.schedule import parallel_threshold
from tests.thread_lane import ThreadLane

NAMES, X = ("alice", "bob"), np.arange(20_000, dtype=np.uint64)


class UnforeseenError(TypeError):
    pass


@pytest.fixture(autouse=True)
def _every_step_is_worth_a_thread(monkeypatch):
    monkeypatch.setattr(parallel_threshold, "LEAST", 1)


def program():
    builder = Builder(NAMES)
    x = builder.add(Input("alice", "x", ValueType(shape=X.shape, width=FULL_WIDTH)))
    builder.add(Reveal("bob", "y"), builder.add(Relu(Epilogue(relu=True)), x))
    return builder.build()


IN_FLIGHT = 1 << 18


def failing(monkeypatch, place, name, number):
    """Let one call of a method fail, in whichever thread it is."""
    plain, calls, lock = getattr(place, name), count(), Lock()

    def method(*arguments, **named):
        with lock:
            at = next(calls)
        if at == number:
            raise UnforeseenError("4711")
        return plain(*arguments, **named)

    monkeypatch.setattr(place, name, method)


PLACES = [(Run, "_advance"), (Run, "_exchange"), (Corrections, "_receive"), (Corrections, "_keep")]
PLACES += [(OperationDealing, "send")]


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(("place", "name"), PLACES, ids=[name for _, name in PLACES])
@pytest.mark.parametrize("number", [0, 3])
@pytest.mark.few(7)
def test_in_a_run(monkeypatch, threads, place, name, number):
    with ThreadEngine(NAMES, config=EngineConfig(free_programs=True, in_flight=IN_FLIGHT), threads=threads) as engine:
        failing(monkeypatch, place, name, number)
        with pytest.raises(FaultError, match=r"failed with UnforeseenError in") as caught:
            engine.execute([LaneJob(0, program(), given={"alice": {"x": X}})])
        assert "4711" not in str(caught.value)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(("place", "name"), PLACES, ids=[name for _, name in PLACES])
def test_in_a_lane_of_threads(monkeypatch, threads, place, name):
    with ThreadLane(NAMES, threads=threads) as lane:
        failing(monkeypatch, place, name, 3)
        with pytest.raises(UnforeseenError):
            lane.run(program(), {"alice": {"x": X}}, settings=RunSettings(IN_FLIGHT, threads))


@pytest.mark.parametrize("name", ["join", "_role_in", "_link"])
def test_where_a_worker_joins(monkeypatch, name):
    failing(monkeypatch, Worker, name, 1)
    with pytest.raises(FaultError) as caught:
        ThreadEngine(NAMES, config=EngineConfig(start_timeout=4.0))
    assert not isinstance(caught.value, PeerSilent)  # nobody was waited for in vain


def test_where_a_worker_hears_orders(monkeypatch):
    failing(monkeypatch, Worker, "_ordered", 0)
    config = EngineConfig(free_programs=True, in_flight=IN_FLIGHT, job_timeout=4.0)
    with ThreadEngine(NAMES, config=config) as engine, pytest.raises(PeerLost):
        engine.execute([LaneJob(0, program(), given={"alice": {"x": X}})])
