"""What ended a lane is told to whoever asks next, once, also where it was found by what raises its errors to nobody."""

import threading
from concurrent.futures import Future
from time import monotonic

import pandas as pd
import pytest

import analytics as an
from icm_ray.config import EngineConfig
from icm_ray.errors import PeerLost, PeerSilent, SessionError
from icm_ray.names import DEALER, DRIVER
from icm_ray.policy import Policy
from icm_ray.query.tasks import PushedSource
from icm_ray.runtime.carriers.threads import ThreadEngine, ThreadHandle
from icm_ray.runtime.driver.lane_engine import LaneEngine
from icm_ray.runtime.orders.limits import transport_config
from icm_ray.transport import Switchboard


@pytest.fixture
def engine():
    with ThreadEngine() as made:
        yield made


def lose(engine, name):
    engine._lanes[0].handles[name].kill()


@pytest.mark.parametrize("times", [1, 3])
def test_found_by_forgetting(engine, times):
    lose(engine, "bob")
    for _ in range(times):
        engine.forget(["x"])
    with pytest.raises(PeerLost, match="bob") as raised:
        engine.set_policy("visits", Policy())
    assert (raised.value.party, bool(raised.value.step)) == ("bob", True)
    with pytest.raises(SessionError, match="bob"):
        engine.set_policy("visits", Policy())
    engine.forget(["x"])


def test_found_by_looking(engine):
    engine.look()
    assert engine.usable_lanes == (0,)
    lose(engine, "alice")
    engine.look()
    with pytest.raises(PeerLost, match="alice"):
        engine.open_table("alice", PushedSource(1), [b""])


def test_found_while_a_frame_is_made(engine):
    """... whose rows are forgotten then: that raises nothing else."""
    lose(engine, "bob")
    rows = pd.DataFrame({"age": [1, 2, 3]})
    with pytest.raises(PeerLost, match="bob"):
        an.from_pandas(engine, {"alice": rows, "bob": rows})


def test_nobody_waits_for_a_question_of_others_to_look(engine):
    with engine._lanes[0].using():
        began = monotonic()
        engine.look()
        assert monotonic() - began < 0.5
    assert engine.usable_lanes == (0,)


def test_whose_worker_is_lost_before_there_is_a_lane():
    config = EngineConfig()
    board = Switchboard(transport_config(config))

    def start(name):
        handle = ThreadHandle(name, config, board, 1)
        if name == DEALER:
            handle.kill()
        return handle

    here = board.station(DRIVER)
    with pytest.raises(PeerLost, match="carol") as raised:
        LaneEngine(("alice", "bob"), (), 1, config, start, station=here, organisations={DEALER: "carol"})
    assert (raised.value.where["organisation"], raised.value.party) == ("carol", DEALER)
    assert raised.value.step


class Deaf:
    """A station that one member's links never reach: its worker, if it was started, ends instead of opening them."""

    def __init__(self, station, name, started=None):
        self._station, self._name, self._started = station, name, {} if started is None else started
        self.over = threading.Event()

    @property
    def endpoint(self):
        return self._station.endpoint

    def open(self, peer, *link):
        if peer.name != self._name:
            return self._station.open(peer, *link)
        if self._name in self._started:
            self._started[self._name].kill()
        self.over.wait(20)
        raise PeerSilent(f"{self._name} has opened no link", party=self._name)

    def close(self):
        self._station.close()


def test_whose_worker_ends_instead_of_opening_its_links():
    """... is found at once, and not when the links are overdue."""
    config = EngineConfig()
    board, started = Switchboard(transport_config(config)), {}

    def start(name):
        return started.setdefault(name, ThreadHandle(name, config, board, 1))

    here = Deaf(board.station(DRIVER), "bob", started)
    began = monotonic()
    with pytest.raises(PeerLost, match="bob") as raised:
        LaneEngine(("alice", "bob"), (), 1, config, start, station=here)
    here.over.set()
    assert monotonic() - began < 10
    assert (raised.value.party, raised.value.step) == ("bob", "join")


class CutOff(ThreadHandle):
    """Of a worker that lives, but that nobody can tell to join."""

    def join(self, plan):
        told = Future()
        told.set_exception(PeerLost(f"{self.name}'s instance is gone", party=self.name, step="ask"))
        return told


def test_who_cannot_be_told_to_join():
    """... is found at once, and not when the links to its worker are overdue."""
    config = EngineConfig()
    board, began = Switchboard(transport_config(config)), monotonic()
    here = Deaf(board.station(DRIVER), "bob")

    def start(name):
        return (CutOff if name == "bob" else ThreadHandle)(name, config, board, 1)

    with pytest.raises(PeerLost, match="bob's instance is gone"):
        LaneEngine(("alice", "bob"), (), 1, config, start, station=here)
    here.over.set()
    assert monotonic() - began < 10
