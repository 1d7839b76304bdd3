"""No member of a lane makes another take in a message that is larger than what may come from it."""

import numpy as np
import pandas as pd
import pytest

import analytics as an
from icm_ray.config import EngineConfig
from icm_ray.dealer.dealer import Dealer
from icm_ray.errors import Desynchronised, InputError, PeerLost
from icm_ray.names import DRIVER
from icm_ray.ops.linear import Input, Reveal, Store
from icm_ray.ops.values import FULL_WIDTH, ValueType
from icm_ray.party import party
from icm_ray.program.build import Builder
from icm_ray.runtime.carriers.threads import ThreadEngine
from icm_ray.runtime.driver import lane
from icm_ray.runtime.driver.engine import LaneJob
from icm_ray.runtime.orders import messages as say
from icm_ray.runtime.orders.limits import ANSWER_BYTES, GIVEN_BYTES, MEMBER_MESSAGE_BYTES, ORDER_BYTES
from icm_ray.runtime.orders.value_frames import GIVEN
from icm_ray.runtime.worker.driver_link import DriverLink
from icm_ray.runtime.worker.party import PartyRole
from icm_ray.transport import MemoryLink

NAMES = ("alice", "bob")


@pytest.fixture
def engine():
    with ThreadEngine(NAMES, config=EngineConfig(free_programs=True)) as running:
        yield running


def revealing(words):
    """A job that reveals alice's words to the driver."""
    builder = Builder(NAMES)
    x = builder.add(Input("alice", "x", ValueType(shape=words.shape, width=FULL_WIDTH)))
    builder.add(Reveal(DRIVER, "x"), x)
    return LaneJob(0, builder.build(), given={"alice": {"x": words}})


def saying(monkeypatch, name, size):
    """Let a member's first answer be of so many bytes."""
    plain = DriverLink.say

    def talk(link, answer):
        if link._link._owner == name:
            link._link.send_message(bytes(size))
        plain(link, answer)

    monkeypatch.setattr(DriverLink, "say", talk)


def test_an_answer_that_is_too_large_is_never_read(engine, monkeypatch):
    read, plain = [], say.decode_answer
    monkeypatch.setattr(say, "decode_answer", lambda payload, name: read.append(len(payload)) or plain(payload, name))
    saying(monkeypatch, "bob", ANSWER_BYTES + (1 << 20))
    with pytest.raises(Desynchronised, match=f"of {ANSWER_BYTES + (1 << 20)} bytes") as caught:
        engine.execute([revealing(np.arange(8, dtype=np.uint64))])
    assert caught.value.party == "bob"
    assert max(read, default=0) < ANSWER_BYTES


def test_results_of_a_program_have_room_and_only_its_own(engine, monkeypatch):
    words = np.arange(3 << 20, dtype=np.uint64)  # 24 MiB, beyond what other answers may take
    (done,) = engine.execute([revealing(words)])
    assert (done.results["x"] == words).all()
    saying(monkeypatch, "bob", words.nbytes)
    with pytest.raises(Desynchronised, match="bytes"):
        engine.execute([revealing(words[:8])])


def test_what_members_say_to_one_another_is_small(engine, monkeypatch):
    read, plain = [], party.read_begin
    monkeypatch.setattr(party, "read_begin", lambda payload: read.append(len(payload)) or plain(payload))
    words = np.arange(8, dtype=np.uint64)
    engine.execute([revealing(words)])
    assert 0 < max(read) < MEMBER_MESSAGE_BYTES // 4
    begin = Dealer.run

    def talk(dealer, *arguments):
        dealer._links["bob"].send_message(bytes(MEMBER_MESSAGE_BYTES + 1))
        return begin(dealer, *arguments)

    monkeypatch.setattr(Dealer, "run", talk)
    with pytest.raises(Desynchronised, match=f"of {MEMBER_MESSAGE_BYTES + 1} bytes"):
        engine.execute([revealing(words)])
    assert max(read) < MEMBER_MESSAGE_BYTES // 4


def holding(words):
    """A job that leaves shares of alice's words under `k`, in the second lane."""
    builder = Builder(NAMES)
    x = builder.add(Input("alice", "x", ValueType(shape=words.shape, width=FULL_WIDTH)))
    builder.add(Store("k"), x)
    return LaneJob(1, builder.build(), given={"alice": {"x": words}})


def test_an_order_that_is_too_large_is_never_read(engine, monkeypatch):
    read, plain = [], say.decode_order
    monkeypatch.setattr(say, "decode_order", lambda payload: read.append(len(payload)) or plain(payload))
    engine.execute([revealing(np.arange(8, dtype=np.uint64))])
    engine._lanes[0].control["bob"].send_message(bytes(ORDER_BYTES + 1))
    with pytest.raises(PeerLost) as caught:
        engine.execute([revealing(np.arange(8, dtype=np.uint64))])
    assert caught.value.party == "bob"
    assert 0 < max(read) < ORDER_BYTES


@pytest.mark.parametrize("pushed", [False, True])
def test_what_the_driver_says_between_tables_is_small(engine, pushed):
    if pushed:  # partitions have room, and only while they are waited for
        rows = pd.DataFrame({"x": np.arange(1000), "y": np.arange(1000)})
        assert an.from_pandas(engine, {"alice": rows})["x"].sum().reveal() == 499500
    job = revealing(np.arange(8, dtype=np.uint64))
    assert engine.execute([job])[0].results["x"].size == 8
    engine._lanes[0].data["alice"].send_message(GIVEN + bytes(GIVEN_BYTES))
    with pytest.raises(Desynchronised, match=f"of {GIVEN_BYTES + len(GIVEN)} bytes"):
        engine.execute([job])


def test_a_party_takes_little_beside_shares_from_its_own_worker(monkeypatch):
    with ThreadEngine(NAMES, lanes=2, config=EngineConfig(free_programs=True)) as engine:
        engine.execute([holding(np.arange(8, dtype=np.uint64))])
        plain = PartyRole.gather

        def talk(role, order, link, first):
            if not first:
                link.send_message(bytes(ORDER_BYTES + 1))
            plain(role, order, link, first)

        monkeypatch.setattr(PartyRole, "gather", talk)
        with pytest.raises(Desynchronised, match=f"of {ORDER_BYTES + 1} bytes"):
            engine.gather({1: {"k": (8,)}})


@pytest.mark.parametrize("call", ["run", "preprocess"])
def test_an_order_that_no_worker_takes_is_not_sent_and_costs_nothing(engine, monkeypatch, call):
    job = revealing(np.arange(8, dtype=np.uint64))
    sent, plain = [], MemoryLink.send_message
    monkeypatch.setattr(MemoryLink, "send_message", lambda link, data: sent.append(link._owner) or plain(link, data))
    with monkeypatch.context() as small:
        small.setattr(lane, "ORDER_BYTES", 64)
        with pytest.raises(InputError, match="as an order, a worker takes 64 at most") as caught:
            engine.execute([job]) if call == "run" else engine.preprocess(job.program, 1)
    assert caught.value.where["bytes"] > 64
    assert not sent
    assert engine.execute([job])[0].results["x"].size == 8
