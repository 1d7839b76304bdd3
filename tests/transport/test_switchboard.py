"""Links of one process, opened by name: either side first, each name once, and who has left is lost."""

import threading

import pytest

from icm_ray.errors import AddressReused, PeerLost, SessionError
from icm_ray.transport import Switchboard, TransportConfig

WAIT = 30.0


@pytest.fixture
def stations():
    board = Switchboard(TransportConfig(heartbeat=0.05, silence=1.0, message_timeout=WAIT))
    return board.station("alice"), board.station("bob")


def opened(alice, bob, name="s/link"):
    return alice.open(bob.endpoint, name, True), bob.open(alice.endpoint, name, False)


@pytest.mark.parametrize("first", [True, False])
def test_either_side_may_be_first(stations, first):
    alice, bob = stations
    sides = {True: (alice, bob), False: (bob, alice)}
    ends = {side: sides[side][0].open(sides[side][1].endpoint, "s/link", side) for side in (first, not first)}
    ends[first].send_message(b"before the other was there, perhaps")
    assert ends[not first].receive_message() == b"before the other was there, perhaps"
    ends[not first].send_message(b"and back")
    assert ends[first].receive_message() == b"and back"
    assert (ends[True].peer, ends[False].peer) == ("bob", "alice")


def test_a_name_is_good_for_one_link(stations):
    alice, bob = stations
    alice.open(bob.endpoint, "s/link", True)
    with pytest.raises(AddressReused, match="twice from one side"):
        alice.open(bob.endpoint, "s/link", True)
    bob.open(alice.endpoint, "s/link", False)
    with pytest.raises(AddressReused, match="already opened"):
        alice.open(bob.endpoint, "s/link", True)


def test_members_of_one_name_are_told_apart():
    board = Switchboard(TransportConfig())
    here, there = board.station("alice"), board.station("alice")
    one, other = opened(here, there)
    there.close()
    with pytest.raises(PeerLost):
        one.receive_message()
    with pytest.raises(PeerLost):
        other.receive_message()


def test_whoever_waits_for_one_that_leaves_is_woken(stations):
    alice, bob = stations
    link = alice.open(bob.endpoint, "s/link", True)  # which bob never opens
    lost = []

    def wait():
        try:
            link.receive_message()
        except PeerLost as error:
            lost.append(error.party)

    waiting = threading.Thread(target=wait)
    waiting.start()
    bob.close()
    waiting.join(WAIT)
    assert lost == ["bob"]
    with pytest.raises(PeerLost, match="bob has left"):
        alice.open(bob.endpoint, "s/another", True)
    with pytest.raises(PeerLost, match="bob has left"):
        bob.open(alice.endpoint, "s/another", True)


def test_a_thread_that_listens_hears_messages_life_and_the_end(stations):
    alice, bob = opened(*stations)
    messages, heard, lost = [], threading.Event(), threading.Event()
    came = threading.Event()

    def on_message(message):
        messages.append(message)
        came.set()

    bob.start_listening(on_message, heard.set, lambda _: lost.set())
    with pytest.raises(SessionError, match="background thread"):
        bob.receive_message()
    assert heard.wait(WAIT)
    alice.send_message(b"an order")
    assert came.wait(WAIT)
    assert messages == [b"an order"]
    assert not lost.is_set()
    alice.abort()
    assert lost.wait(WAIT)


def test_one_s_own_end_is_no_loss(stations):
    before = set(threading.enumerate())
    _, bob = opened(*stations)
    lost = threading.Event()
    bob.start_listening(lambda _: None, None, lambda _: lost.set())
    bob.close()
    assert set(threading.enumerate()) == before
    assert not lost.is_set()
