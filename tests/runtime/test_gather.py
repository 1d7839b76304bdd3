"""Shares that move between lanes: all of them or none, over links that are made anew where they were cut."""

import numpy as np
import pandas as pd
import pytest

import analytics as an
from icm_ray.config import EngineConfig
from icm_ray.errors import Desynchronised, FaultError, PeerLost
from icm_ray.runtime.carriers.threads import ThreadEngine
from icm_ray.runtime.driver.engine import LaneJob
from icm_ray.transport import MemoryLink
from icm_ray.transport.switchboard import Switchboard
from tests.inside import parties_of
from tests.runtime import programs

ROWS = 40
GIVEN = {"alice": {"column": np.arange(ROWS, dtype=np.uint64)}}


@pytest.fixture
def engine():
    with ThreadEngine(lanes=3, config=EngineConfig(free_programs=True, partition_bytes=200)) as engine:
        yield engine


def keep(engine, lane, *keys):
    engine.execute([LaneJob(lane, programs.kept(engine, "alice", key, ROWS), given=GIVEN) for key in keys])


def kept(engine, lane):
    return {name: set(party.store) for name, party in parties_of(engine, lane).items()}


def only(engine, key):
    return {name: {key} for name in engine.parties}


def total(engine, lane, key):
    (done,) = engine.execute([LaneJob(lane, programs.sum_of_kept(engine, key, ROWS, "driver"))])
    return done.results["total"].tolist()


def cut_between_lanes(monkeypatch, name, frames):
    """The link of a party with itself is cut as it takes a frame, `frames` later."""
    receive, left = MemoryLink.receive, [frames]

    def cutting(link, frame, parts):
        if link.peer == link._owner == name:
            left[0] -= 1
            if not left[0]:
                link.abort()
        return receive(link, frame, parts)

    monkeypatch.setattr(MemoryLink, "receive", cutting)


@pytest.mark.parametrize("name", ["alice", "bob"])
@pytest.mark.parametrize("frames", [1, 2])
@pytest.mark.few(2)
def test_a_cut_link_between_lanes_costs_neither_lane_nor_shares(engine, monkeypatch, name, frames):
    keep(engine, 0, "stays")
    keep(engine, 2, "a", "b")
    moving = {2: {"a": (ROWS,), "b": (ROWS,)}}
    with monkeypatch.context() as patch:
        cut_between_lanes(patch, name, frames)
        with pytest.raises(PeerLost) as caught:
            engine.gather(moving)
    assert caught.value.party == name
    assert engine.usable_lanes == (0, 1, 2)
    assert [total(engine, lane, key) for lane, key in ((0, "stays"), (2, "a"), (2, "b"))] == [[780]] * 3
    assert kept(engine, 0) == only(engine, "stays")
    engine.gather(moving)
    assert [total(engine, 0, key) for key in ("stays", "a", "b")] == [[780]] * 3


def test_no_share_is_sent_to_who_refuses_it(engine, monkeypatch):
    """... and nobody waits for one that is not sent."""
    for lane in (0, 1):
        keep(engine, lane, "a")
    keep(engine, 1, "b")
    sent, send = [], MemoryLink.send

    def noting(link, frame, parts):
        if link.peer == link._owner:
            sent.append(frame)
        send(link, frame, parts)

    monkeypatch.setattr(MemoryLink, "send", noting)
    for keys, says in (({"b": (ROWS,), "a": (ROWS,)}, "something under a already"), ({"c": (ROWS,)}, "or nothing")):
        with pytest.raises(Desynchronised, match=says):
            engine.gather({1: keys})
    assert not sent
    assert kept(engine, 1) == {name: {"a", "b"} for name in engine.parties}
    engine.gather({1: {"b": (ROWS,)}})
    assert total(engine, 0, "b") == [780]
    assert len(sent) == len(engine.parties)


def test_the_sender_drops_its_shares_when_all_have_arrived(engine):
    keep(engine, 1, "a")
    assert kept(engine, 1) == only(engine, "a")
    engine.gather({1: {"a": (ROWS,)}})
    keep(engine, 1, "b")
    assert kept(engine, 1) == only(engine, "b")


def test_links_between_lanes_are_opened_once_and_again_after_a_run_was_cut(engine, monkeypatch):
    names, joined = [], Switchboard.join

    def noting(board, here, peer, name, initiator):
        names.append(name)
        return joined(board, here, peer, name, initiator)

    monkeypatch.setattr(Switchboard, "join", noting)
    for key in ("a", "b"):
        keep(engine, 1, key)
        engine.gather({1: {key: (ROWS,)}})
    first = set(names)
    assert len(first) == len(engine.parties)
    names.clear()
    engine._lanes[1].relink()
    keep(engine, 1, "c")
    engine.gather({1: {"c": (ROWS,)}})
    assert len(set(names) - first) > len(engine.parties)
    assert not set(names) & first
    assert total(engine, 0, "c") == [780]


def test_shares_move_to_any_lane(engine):
    for lane, home in ((1, 2), (2, 1), (0, 1)):
        keep(engine, lane, f"from {lane}")
        engine.gather({lane: {f"from {lane}": (ROWS,)}}, home)
        assert total(engine, home, f"from {lane}") == [780]


@pytest.mark.slow
def test_without_the_first_lane_questions_go_on_over_the_others(engine):
    table = pd.DataFrame({"x": np.arange(300)})
    lost = an.from_pandas(engine, {"alice": table})
    engine._lanes[0].handles["bob"].kill()
    with pytest.raises(FaultError, match="bob"):
        lost["x"].sum().reveal()
    assert engine.usable_lanes == (1, 2)
    frame = an.from_pandas(engine, {"alice": table, "bob": table})
    assert frame._dataset.facts.lanes == {1, 2}
    assert frame["x"].sum().reveal() == 2 * table["x"].sum()
    assert frame["x"].std().reveal() == pytest.approx(pd.concat([table, table])["x"].std())
    assert frame.share()["x"].max().reveal() == 299
