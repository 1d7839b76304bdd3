"""A worker and the instance that it believes: an answer is one to the question that was asked last, or to none."""

from __future__ import annotations

import msgspec
import pytest

from icm_ray import errors
from icm_ray.errors import InputError, PeerSilent, PolicyError, ProgramError, SessionError
from icm_ray.runtime.orders.house import Allowed, HouseFacts, IsLedger, ListensAt, MayRun, Own, decode_house_call
from icm_ray.runtime.orders.lane_plan import LanePlan
from icm_ray.runtime.orders.messages import failed
from icm_ray.runtime.worker.house import House
from icm_ray.transport import Endpoint

NAMES = {"dataset-2": "visits"}
PLAN = LanePlan("session", 0, ("alice", "bob"), (), (), ("driver", "", 0, b""))


class Scripted:
    """A link, and the station that opens it, whose other end says what the test wants, when it wants."""

    def __init__(self):
        self.asked, self.cut, self.on_message = [], False, None
        self.inside = Endpoint("bob", "inside", 7, b"bob's")

    def open(self, *_):
        return self

    def set_receive_limits(self, *_): ...

    def set_message_limit(self, *_): ...

    def start_listening(self, on_message, *_):
        self.on_message = on_message

    def send_message(self, payload):
        self.asked.append(decode_house_call(payload, "bob"))
        if self.answer is not None:
            self.on_message(msgspec.msgpack.encode(self.answer))

    def abort(self):
        self.cut = True


@pytest.fixture
def joined():
    def made(asker="alice", patience=5.0):
        link, gone = Scripted(), []
        link.answer = Allowed()
        house = House("bob", HouseFacts(("bob", "", 0, b""), asker), lambda: gone.append(True), patience)
        house.join(PLAN, link)
        assert link.asked.pop() == ListensAt("session", 0, ("bob", "inside", 7, b"bob's"))
        return house, link, gone

    return made


def test_ledgers_are_the_organisation_s_own_in_letters_of_either_case(joined):
    house, link, _ = joined()
    assert [house.keeps_ledger(name) for name in ("bob.visits", "BOB.visits", "bobby.visits", "alice.bob.x")] == [
        True,
        True,
        False,
        False,
    ]
    assert link.asked == []
    house.keeps_ledger("F" * 64)
    assert link.asked == [IsLedger("f" * 64)]


def test_what_was_allowed_last_is_asked_once(joined):
    house, link, _ = joined()
    for asked in (b"one", b"one", b"other", b"one"):
        house.may("question", asked, NAMES)
    asked = [
        MayRun("question", one, ("visits",), NAMES, ("alice", "bob"), "session") for one in (b"one", b"other", b"one")
    ]
    assert link.asked == asked


def test_what_was_allowed_is_asked_again_after_a_while(joined, monkeypatch):
    """It may be offered no more, or otherwise."""
    house, link, _ = joined()
    now = [0.0]
    monkeypatch.setattr("icm_ray.runtime.worker.house.monotonic", lambda: now[0])
    for now[0] in (0.0, 29.0, 31.0, 32.0):
        house.may("question", b"one", NAMES)
    assert len(link.asked) == 2


def test_what_counts_is_asked_each_time(joined):
    house, link, _ = joined()
    link.answer = Allowed(counted=True)
    for stage in (0, 0, 1):
        house.may("question", b"one", NAMES, stage)
    assert [call.stage for call in link.asked] == [0, 0, 1]


def test_what_counted_is_given_back_unless_it_began(joined):
    house, link, _ = joined()
    house.may("question", b"standing", NAMES)
    house.give_back()
    assert not link.asked.pop().back
    link.answer = Allowed(counted=True)
    house.may("question", b"one", NAMES, 1, "bob")
    (allowed,) = link.asked
    for _ in range(2):
        house.give_back()
    assert link.asked[1:] == [msgspec.structs.replace(allowed, back=True)]
    house.may("question", b"one", NAMES, 2)
    house.begin()
    house.give_back()
    assert len(link.asked) == 3


def test_a_late_answer_allows_nothing(joined):
    house, link, gone = joined(patience=0.0)
    link.answer = None
    with pytest.raises(PeerSilent, match="does not answer"):
        house.may("question", b"one", {})
    assert (link.cut, gone) == (True, [True])
    link.on_message(msgspec.msgpack.encode(Allowed()))
    for _ in range(2):
        with pytest.raises(PeerSilent):
            house.may("question", b"other", {})


def test_a_refusal_is_raised(joined):
    house, link, _ = joined()
    link.answer = failed(0, PolicyError("bob refuses"), "bob")
    with pytest.raises(PolicyError, match="bob refuses"):
        house.may("question", b"one", {})


@pytest.mark.parametrize(
    "kind", [name for name in errors.__all__ if issubclass(getattr(errors, name), errors.IcmError)]
)
def test_askers_of_others_hear_nothing_of_rows_nor_of_files(joined, kind):
    found = failed(3, getattr(errors, kind)("row 7 of /data/visits.csv is 81.5", path="/data", party="bob"), "bob")
    house, link, _ = joined()
    said = house.discreet(found)
    private = issubclass(getattr(errors, kind), InputError | SessionError)
    assert ("81.5" in said.message) is not private
    assert ("path" in said.where) is not private
    assert (said.kind, said.call) == (kind, 3)
    assert len(link.asked) == issubclass(getattr(errors, kind), InputError), "what rows are no reason of is not counted"
    assert joined(asker="bob")[0].discreet(found) == found


def test_what_cannot_be_noted_is_not_told_either(joined):
    house, link, _ = joined()
    link.answer = failed(0, PolicyError("alice has filled its part of the log"), "bob")
    said = house.discreet(failed(3, InputError("row 7 is 81.5"), "bob"))
    assert "81.5" not in said.message


def test_a_worker_of_another_lane_is_where_the_instance_says(joined):
    house, link, _ = joined()
    told, inside = ("bob", "", 0, b"other"), ("bob", "inside", 8, b"other")
    link.answer = Own(inside)
    assert house.own(1, told) == inside
    link.answer = Allowed()
    with pytest.raises(ProgramError, match="knows no worker in lane 1"):
        house.own(1, told)
