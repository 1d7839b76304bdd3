"""Links that fail or dawdle on purpose, and transcripts of those that do neither."""

import threading
from dataclasses import replace
from time import monotonic

import numpy as np
import pytest

from icm_ray.errors import BoundError, Desynchronised, PeerLost, PeerSilent, ShapeError
from icm_ray.ops.seams import Link
from icm_ray.transport import DelayedLink, Fault, FaultKind, FaultLink, Transcript, delayed, memory_links
from icm_ray.transport.wire import HEADER_BYTES
from tests.transport.standing_clock import StandingClock


def word(value=0):
    return np.full(1, value, np.uint64)


def test_frames_vanish_from_a_point_on(pair, quick, at):
    alice, bob = pair(replace(quick, message_timeout=1.0, heartbeat=0.02, silence=20.0))
    bad = FaultLink(alice, [Fault(FaultKind.DROP, at=2)])
    assert isinstance(bad, Link)
    for step in range(5):
        bad.send(at(step), [word()])
    bad.send_message(b"gone too")
    for step in range(2):
        bob.receive(at(step), [word()])
    with pytest.raises(PeerSilent, match="step 2"):
        bob.receive(at(2), [word()])


def test_a_corrupted_header_is_noticed(pair, at):
    alice, bob = pair()
    bad = FaultLink(alice, [Fault(FaultKind.CORRUPT, at=1)])
    bad.send(at(0), [word()])
    bad.send(at(1), [word()])
    bob.receive(at(0), [word()])
    with pytest.raises(Desynchronised, match="sent step 2 tag 0"):
        bob.receive(at(1), [word()])


def test_a_delayed_frame_arrives_late(pair, at):
    alice, bob = pair()
    bad = FaultLink(alice, [Fault(FaultKind.DELAY, at=0, seconds=0.1)])
    start = monotonic()
    bad.send(at(0), [word()])
    bob.receive(at(0), [word()])
    assert monotonic() - start >= 0.1


def test_a_link_closed_in_the_middle(pair, at):
    alice, bob = pair()
    bad = FaultLink(alice, [Fault(FaultKind.CLOSE, at=1)])
    bad.send(at(0), [word(7)])
    with pytest.raises(PeerLost):
        bad.send(at(1), [word()])
    got = word()
    bob.receive(at(0), [got])
    assert got[0] == 7
    with pytest.raises(PeerLost, match="alice"):
        bob.receive(at(1), [got])


def test_receiving_through_the_wrappers(pair, at):
    ends = pair()
    for wrap in (lambda link: FaultLink(link, []), lambda link: DelayedLink(link, 0.0)):
        one, other = (wrap(link) for link in ends)
        one.send_message(b"m")
        assert other.receive_message(2.0) == b"m"
        one.send(at(0, 5), [word(3)])
        assert other.receive_any(at(0))[:2] == (0, 5)
        one.send(at(1), [word(3)])
        got = word()
        other.receive(at(1), [got])
        assert got[0] == 3
    one.close()
    other.close()


@pytest.fixture
def clock(monkeypatch):
    """The clock of delayed links."""
    clock = StandingClock()
    monkeypatch.setattr(delayed, "monotonic", clock)
    return clock


def test_distance_costs_half_a_round_trip_each_way(pair, at, stack, clock):
    ends = [DelayedLink(link, rtt_ms=60) for link in pair()]
    for end in ends:
        stack.callback(end.close)
    for turn, (one, other) in enumerate((ends, ends[::-1])):
        one.send(at(0), [word()])
        clock.seen_at(0.03 * turn + 0.029)
        assert one.counters.sent_frames == 0
        clock.set(0.03 * turn + 0.030)
        other.receive(at(0), [word()])


def test_frames_under_way_do_not_wait_for_one_another(pair, at, stack, clock):
    alice, bob = pair()
    slow = DelayedLink(alice, rtt_ms=200)
    stack.callback(slow.close)
    for step in range(50):
        slow.send(at(step), [word()])
    clock.seen_at(0.099)
    assert slow.counters.sent_frames == 0
    clock.set(0.1)  # and there it stands: one after the other they would need five seconds of this clock
    for step in range(50):
        bob.receive(at(step), [word()])


def test_a_line_has_a_rate(pair, at, stack, clock):
    alice, bob = pair()
    slow = DelayedLink(alice, rtt_ms=0, mbit=80)  # 10 MB a second
    stack.callback(slow.close)
    block = np.zeros(100_000, np.uint8)
    for step in range(5):
        slow.send(at(step), [block])
    each = (HEADER_BYTES + block.nbytes) / 10e6
    for step in range(5):
        clock.seen_at((step + 0.99) * each)
        assert slow.counters.sent_frames == step
        clock.set((step + 1.01) * each)
        bob.receive(at(step), [block])


def test_a_slow_line_fills_up(pair, at, stack, clock, threads):
    alice, bob = pair()
    slow = DelayedLink(alice, rtt_ms=0, mbit=80, queue_bytes=150_000)
    stack.callback(slow.close)
    block = np.zeros(100_000, np.uint8)
    slow.send(at(0), [block])
    second = threads.submit(slow.send, at(1), [block])
    clock.seen_at(0.005)
    with pytest.raises(TimeoutError):
        second.result(0.05)
    clock.set(0.011)
    bob.receive(at(0), [block])
    second.result(20)
    clock.set(0.022)
    bob.receive(at(1), [block])


def test_a_delayed_link_reports_what_broke_beneath_it(pair, at, stack):
    alice, bob = pair()
    slow = DelayedLink(alice, rtt_ms=1)
    stack.callback(slow.close)
    bob.close()

    def keep_sending():
        end, step = monotonic() + 30, 0
        while monotonic() < end:  # what breaks beneath shows once the line has taken the first frames
            slow.send(at(step), [np.zeros(100_000, np.uint8)])
            step += 1

    with pytest.raises(PeerLost):
        keep_sending()


def test_closing_a_delayed_link_delivers_first(pair, at):
    alice, bob = pair()
    slow = DelayedLink(alice, rtt_ms=40)
    slow.send(at(0), [word(5)])
    slow.close()
    slow.close()
    got = word()
    bob.receive(at(0), [got])
    assert got[0] == 5
    with pytest.raises(PeerLost):
        slow.send(at(1), [word()])


@pytest.mark.parametrize(("rtt", "mbit"), [(-1, None), (1, 0), (1, -5)])
def test_impossible_networks(pair, rtt, mbit):
    with pytest.raises(BoundError):
        DelayedLink(pair()[0], rtt, mbit)


def test_a_transcript_holds_what_each_party_received(at):
    transcript = Transcript()
    links = memory_links(["a", "b", "c"], transcript=transcript)
    buffer = np.arange(3, dtype=np.uint64)
    links["a"]["b"].send(at(4, 2), [buffer, np.ones(2, np.uint8)])
    links["a"]["c"].send_message(b"hi")
    links["c"]["b"].send(at(5), [])
    buffer[:] = 9  # the frame has left: it holds a copy
    assert len(transcript) == 0
    links["b"]["a"].receive(at(4, 2), [np.zeros(26, np.uint8)])
    links["c"]["a"].receive_message()
    links["b"]["c"].receive(at(5), [])
    assert len(transcript) == 3
    first, second = transcript.of("b")
    assert (first.sender, first.receiver, first.step, first.tag) == ("a", "b", 4, 2)
    assert [part.tolist() for part in first.parts] == [[0, 1, 2], [1, 1]]
    assert [part.dtype for part in first.parts] == [np.uint64, np.uint8]
    assert (second.sender, second.step, second.payload) == ("c", 5, b"")
    [message] = transcript.of("c", "a")
    assert (message.frame, message.payload) == (None, b"hi")
    assert transcript.of("a") == []
    assert "9" not in repr(first.parts[0].tolist())
    assert "parts" not in repr(first)


def test_what_the_receiver_does_to_its_array_does_not_reach_the_transcript(at):
    transcript = Transcript()
    links = memory_links(["a", "b"], transcript=transcript)
    links["a"]["b"].send(at(0), [word(3)])
    links["a"]["b"].send(at(1), [word(4)])
    got = word()
    links["b"]["a"].receive(at(0), [got])
    got[0] = 77
    links["b"]["a"].receive_any(at(0))[2][:] = 0
    assert [item.parts[0].tolist() for item in transcript.of("b")] == [[3], [4]]


def test_a_memory_peer_that_says_nothing(quick, at):
    links = memory_links(["a", "b"], replace(quick, message_timeout=0.05))
    with pytest.raises(PeerSilent, match="partition 3, step 6"):
        links["a"]["b"].receive(at(6), [word()])
    with pytest.raises(ShapeError):
        links["a"]["b"].send_message(bytes(quick.max_message_bytes + 1))


def test_a_mesh_is_full_and_its_names_differ():
    links = memory_links(["a", "b", "c"])
    assert {me: sorted(peers) for me, peers in links.items()} == {"a": ["b", "c"], "b": ["a", "c"], "c": ["a", "b"]}
    with pytest.raises(BoundError):
        memory_links(["a", "a"])


def test_waiting_threads_of_memory_links_wake_up(at, threads):
    links = memory_links(["a", "b"])
    started = threading.Event()

    def wait():
        started.set()
        got = word()
        links["b"]["a"].receive(at(0), [got])
        return int(got[0])

    waiting = threads.submit(wait)
    assert started.wait(5)
    links["a"]["b"].send(at(0), [word(11)])
    assert waiting.result(5) == 11
