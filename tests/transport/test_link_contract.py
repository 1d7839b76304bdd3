"""What every link promises, shown on memory, plain TCP and TLS links alike."""

from concurrent.futures import Future
from dataclasses import replace
from time import monotonic

import numpy as np
import pytest

from icm_ray.errors import BoundError, Desynchronised, FaultError, PeerLost, PeerSilent, ShapeError
from icm_ray.ops.seams import Link
from icm_ray.transport.wire import Kind, encode


def words(count, dtype=np.uint64):
    return np.arange(count, dtype=dtype)


def test_a_link_is_a_link(pair):
    assert all(isinstance(link, Link) for link in pair())
    alice, bob = pair()
    assert (alice.peer, bob.peer) == ("bob", "alice")


def test_frames_arrive_in_order_and_in_place(pair, at):
    alice, bob = pair()
    for step in range(50):
        alice.send(at(step), [words(step) + 1000])
    for step in range(50):
        got = np.zeros(step, np.uint64)
        bob.receive(at(step), [got])
        assert (got == words(step) + 1000).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64])
def test_words_of_every_width(pair, at, dtype):
    alice, bob = pair()
    sent = np.arange(3 * 5 * 7).astype(dtype).reshape(3, 5, 7)
    got = np.zeros_like(sent)
    alice.send(at(0), [sent])
    bob.receive(at(0), [got])
    assert (got == sent).all()


def test_parts_may_be_cut_differently_by_the_receiver(pair, at):
    alice, bob = pair()
    alice.send(at(0), [words(3), words(0), words(2, np.uint8), words(6, np.uint8)])
    first, second = np.zeros(1, np.uint64), np.zeros(3, np.uint64)
    bob.receive(at(0), [first, second])
    assert first[0] == 0
    assert second.tolist() == [1, 2, int.from_bytes(bytes([0, 1, 0, 1, 2, 3, 4, 5]), "little")]


def test_more_parts_than_one_system_call_takes(pair, at):
    alice, bob = pair()
    sent = [np.full(3, number, np.uint32) for number in range(2500)]
    got = [np.zeros(3, np.uint32) for _ in sent]
    alice.send(at(0), sent)
    bob.receive(at(0), got)
    assert all((a == b).all() for a, b in zip(sent, got, strict=True))


def test_an_empty_frame_is_a_frame(pair, at):
    alice, bob = pair()
    alice.send(at(0), [])
    alice.send(at(1), [words(0)])
    bob.receive(at(0), [])
    bob.receive(at(1), [])
    assert bob.counters.received_frames == 2


def test_arrays_must_be_contiguous_and_writable(pair, at):
    alice, bob = pair()
    with pytest.raises(ShapeError):
        alice.send(at(0), [words(8)[::2]])
    frozen = words(2)
    frozen.flags.writeable = False
    alice.send(at(0), [frozen])
    with pytest.raises(ShapeError):
        bob.receive(at(0), [frozen])


def test_numbers_that_the_header_cannot_hold_are_refused(pair, at):
    alice, _ = pair()
    for frame in (at(2**32), at(0, job=-1), at(0, tag=2**32), at(0, partition=2**40)):
        with pytest.raises(BoundError):
            alice.send(frame, [words(1)])
    with pytest.raises(ShapeError):
        alice.send(at(0, program=b"short"), [words(1)])


@pytest.mark.parametrize(
    "other",
    [{"step": 6}, {"tag": 1}, {"job": 8}, {"program": bytes(32)}, {"partition": 4}, {"attempt": 0}, {"count": 3}],
    ids=lambda change: next(iter(change)),
)
def test_another_frame_than_expected_is_never_taken(pair, at, other):
    alice, bob = pair()
    due = {"step": 5, "tag": 0, "count": 2} | other
    alice.send(at(5), [words(2)])
    got = np.full(due.pop("count"), 99, np.uint64)
    with pytest.raises(Desynchronised) as caught:
        bob.receive(at(**due), [got])
    assert (got == 99).all()
    assert caught.value.party == "alice"
    assert caught.value.partition == due.get("partition", 3)
    assert caught.value.step == str(due["step"])
    with pytest.raises(Desynchronised):  # for good: what follows cannot be trusted
        bob.receive(at(5), [np.zeros(2, np.uint64)])


def test_messages_and_frames_are_not_taken_for_one_another(pair, at):
    alice, bob = pair()
    alice.send_message(b"x" * 8)
    with pytest.raises(Desynchronised):
        bob.receive(at(0), [words(1)])
    alice, bob = pair()
    alice.send(at(0), [words(1)])
    with pytest.raises(Desynchronised):
        bob.receive_message()
    alice, bob = pair()
    alice.send_message(b"")
    with pytest.raises(Desynchronised):
        bob.receive_any(at(0))


def test_receive_any_takes_every_step_of_one_address(pair, at):
    alice, bob = pair()
    alice.send(at(9, 4), [words(2), words(1)])
    alice.send(at(2), [])
    alice.send(at(3, attempt=2), [])
    step, tag, payload = bob.receive_any(at(0))
    assert (step, tag, payload.dtype, payload.view(np.uint64).tolist()) == (9, 4, np.uint8, [0, 1, 0])
    step, tag, payload = bob.receive_any(at(0))
    assert (step, tag, payload.size) == (2, 0, 0)
    with pytest.raises(Desynchronised):
        bob.receive_any(at(0))


@pytest.mark.parametrize("size", [0, 1, 100, 70_000, 3_000_000])
def test_messages_of_any_length(pair, size):
    alice, bob = pair()
    payload = bytes(words(size, np.uint8))
    alice.send_message(payload)
    assert bob.receive_message() == payload


def test_limits_are_checked_before_sending(pair, quick, at):
    alice, bob = pair(replace(quick, max_message_bytes=1000, max_frame_bytes=4000))
    alice.send_message(bytes(1000))
    alice.send(at(0), [words(500)])
    with pytest.raises(ShapeError, match="1001 bytes"):
        alice.send_message(bytes(1001))
    with pytest.raises(ShapeError, match="4008 bytes"):
        alice.send(at(1), [words(501)])
    assert len(bob.receive_message()) == 1000
    bob.receive(at(0), [words(500)])


def test_a_wait_for_a_message_may_pass_in_vain(pair):
    alice, bob = pair()
    for timeout in (0, 0.05):
        with pytest.raises(PeerSilent) as caught:
            bob.receive_message(timeout)
        assert caught.value.party == "alice"
    alice.send_message(b"late")
    assert bob.receive_message(2.0) == b"late"


def test_a_wait_for_a_living_peer_ends_too(pair, quick, at):
    _, bob = pair(replace(quick, heartbeat=0.02, silence=0.2, message_timeout=0.5))
    with pytest.raises(PeerSilent, match="partition 3, step 8") as caught:
        bob.receive(at(8), [words(1)])
    assert (caught.value.party, caught.value.partition, caught.value.step) == ("alice", 3, "8")


def test_what_was_sent_before_closing_still_arrives(pair, at, threads):
    alice, bob = pair()
    alice.send(at(0), [words(1 << 20)])
    alice.send_message(b"the reason")
    bob.send(at(0), [words(4)])  # alice closes with this unread
    closing = threads.submit(alice.close)
    got = np.zeros(1 << 20, np.uint64)
    bob.receive(at(0), [got])
    closing.result(5)
    alice.close()
    assert (got == words(1 << 20)).all()
    assert bob.receive_message() == b"the reason"
    with pytest.raises(PeerLost, match="alice"):
        bob.receive(at(1), [words(1)])
    with pytest.raises(PeerLost):
        alice.send(at(1), [words(1)])
    with pytest.raises(PeerLost, match="this side"):
        alice.receive_message()


def test_closing_wakes_whoever_receives(pair, at, threads):
    _, bob = pair()
    waiting = threads.submit(bob.receive, at(0), [words(1)])
    bob.close()
    with pytest.raises(PeerLost, match="this side"):
        waiting.result(5)


def test_counters_count_payload_exactly(pair, at):
    alice, bob = pair()
    alice.send(at(0), [words(10), words(3, np.uint8)])
    alice.send(at(1), [])
    alice.send_message(b"12345")
    bob.receive(at(0), [np.zeros(83, np.uint8)])
    assert bob.receive_any(at(0))[2].size == 0
    bob.receive_message()
    for sent, received in ((alice.counters, bob.counters),):
        assert (sent.sent_bytes, sent.sent_frames) == (88, 3)
        assert (received.received_bytes, received.received_frames) == (88, 3)
        assert (sent.received_bytes, sent.received_frames) == (0, 0)
        assert (received.sent_bytes, received.sent_frames) == (0, 0)


def exchange(link, frames, outgoing, incoming):
    for number, frame in enumerate(frames):
        link.send(frame, [outgoing[number]])
    for number, frame in enumerate(frames):
        link.receive(frame, [incoming[number]])


@pytest.mark.parametrize(("count", "size"), [(1, 64 << 20), (24, 1 << 20)], ids=["one-large", "many"])
def test_both_may_send_more_than_fits_before_they_receive(pair, quick, at, threads, count, size):
    ends = pair(replace(quick, queue_bytes=2 << 20, silence=60.0, message_timeout=60.0))  # however busy the machine is
    frames = [at(step) for step in range(count)]
    out = [np.full((count, size // 8), fill, np.uint64) for fill in (1, 2)]
    got = [np.zeros((count, size // 8), np.uint64) for _ in ends]
    running = [threads.submit(exchange, ends[me], frames, out[me], got[me]) for me in (0, 1)]
    for each in running:
        each.result(90)
    assert (got[0] == 2).all()
    assert (got[1] == 1).all()


def test_memory_may_be_reused_once_the_peer_has_it(pair, at):
    alice, bob = pair()
    buffer, got = words(4), np.zeros(4, np.uint64)
    for step in range(20):
        buffer[:] = step
        alice.send(at(step), [buffer])
        bob.receive(at(step), [got])
        assert (got == step).all()


def test_a_frame_beyond_the_limit_is_refused(pair, at):
    """Where its size is not known before it comes: 0 lets nothing through but empty frames."""
    alice, bob = pair()
    bob.set_receive_limits(16, 0)
    alice.send(at(0), [np.zeros(2, np.uint64)])
    alice.send(at(1), [np.zeros(3, np.uint64)])
    assert bob.receive_any(at(0))[2].nbytes == 16
    with pytest.raises(Desynchronised):
        bob.receive_any(at(0))


def test_frames_of_a_known_size_need_no_limit(pair, at):
    alice, bob = pair()
    bob.set_receive_limits(0, 0)
    alice.send(at(0), [np.ones(3, np.uint64)])
    into = np.zeros(3, np.uint64)
    bob.receive(at(0), [into])
    assert into.tolist() == [1, 1, 1]


def test_what_is_read_ahead_is_bounded(tcp_pair, at):
    alice, bob = tcp_pair()
    bob.set_receive_limits(8, 16)
    for step in range(4):
        alice.send(at(step), [np.zeros(1, np.uint64)])
    alice.send_message(b"all")
    taken, deadline = 0, monotonic() + 5
    while taken < 2 and monotonic() < deadline:
        taken += bool(bob.read_ahead())
    assert taken == 2
    assert not bob.read_ahead()
    for step in range(4):
        assert bob.receive_any(at(0))[0] == step
    assert bob.receive_message() == b"all"


def test_a_large_frame_is_not_read_ahead(raw_peer, at):
    """It is refused when its header is read, before memory is taken for it."""
    link, writes, _ = raw_peer()
    link.set_receive_limits(64, 1 << 40)
    writes.sendall(encode(Kind.DATA, at(0), 1 << 31))
    assert link.read_ahead() == 0
    with pytest.raises(Desynchronised, match="announced 2147483648 bytes; the limit is 64"):
        link.receive_any(at(0))


def test_a_message_beyond_the_limit_is_refused(pair):
    alice, bob = pair()
    bob.set_message_limit(1000)
    for size in (1000, 1001):
        alice.send_message(bytes(size))
    assert len(bob.receive_message()) == 1000
    with pytest.raises(Desynchronised, match="1001 bytes") as caught:
        bob.receive_message()
    assert caught.value.party == "alice"


def test_the_limit_of_messages_may_change_and_is_never_above_the_links_own(pair, quick):
    alice, bob = pair(replace(quick, max_message_bytes=4000))
    for limit in (10, 1 << 40):
        bob.set_message_limit(limit)
    alice.send_message(bytes(4000))
    assert len(bob.receive_message()) == 4000
    bob.set_message_limit(0)
    alice.send_message(b"")
    alice.send_message(b"1")
    assert bob.receive_message() == b""
    with pytest.raises(Desynchronised):
        bob.receive_message()


@pytest.mark.parametrize("kind", [ValueError, MemoryError, KeyError])
def test_whatever_a_listener_raises_is_told(pair, kind):
    alice, bob = pair()
    told = Future()

    def on_message(_):
        raise kind("a value")

    bob.start_listening(on_message, None, told.set_result)
    alice.send_message(b"something")
    error = told.result(5)
    assert isinstance(error, FaultError)
    assert error.party == "alice"
    assert kind.__name__ in str(error)
    assert "a value" not in str(error)
