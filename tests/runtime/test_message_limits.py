"""No member of a lane makes another take in a message that is larger than what may come from it."""

import numpy as np
import pytest

from icm_ray.config import EngineConfig
from icm_ray.dealer.dealer import Dealer
from icm_ray.errors import Desynchronised
from icm_ray.names import DRIVER
from icm_ray.ops.linear import Input, Reveal
from icm_ray.ops.values import FULL_WIDTH, ValueType
from icm_ray.party import party
from icm_ray.program.build import Builder
from icm_ray.runtime.carriers.threads import ThreadEngine
from icm_ray.runtime.driver.engine import LaneJob
from icm_ray.runtime.orders import messages as say
from icm_ray.runtime.orders.limits import ANSWER_BYTES, MEMBER_MESSAGE_BYTES
from icm_ray.runtime.worker.driver_link import DriverLink

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
