"""Every wait ends, and its error says for whom it was waited, where, and why."""

import multiprocessing
import os
import signal
import socket
import struct
import threading
from dataclasses import replace
from time import monotonic

import numpy as np
import pytest

from icm_ray.errors import Desynchronised, FaultError, PeerLost, PeerSilent, SessionError
from icm_ray.ops.seams import Address, Frame
from icm_ray.transport import Identity, Listener, open_link
from icm_ray.transport.wire import HEADER_BYTES, HEARTBEAT, NO_FRAME, Kind, encode
from tests.transport.peer_process import echo


def word():
    return np.zeros(1, np.uint64)


def within(seconds, call, *arguments, error):
    """The error of a call that must fail, and fail in time."""
    start = monotonic()
    with pytest.raises(error) as caught:
        call(*arguments)
    assert monotonic() - start < seconds
    return caught.value


@pytest.fixture(params=[False, True], ids=["plain", "tls"])
def child(request, stack, quick):
    """A process that echoes, and the link to it."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    me = Identity.create("parent")
    config = replace(quick, connect_timeout=20.0)
    listener = stack.enter_context(Listener(me, tls=request.param, config=config))
    process = context.Process(target=echo, args=(theirs, listener.endpoint, config, request.param), daemon=True)
    process.start()
    theirs.close()
    stack.callback(process.join, 10)
    stack.callback(process.kill)
    link = stack.enter_context(open_link(me, listener, ours.recv(), "to-child", False, config, request.param))
    frame = Frame(Address(1, bytes(32), 0, 0), 0)
    link.send(frame, [word()])
    link.receive(frame, [word()])
    ours.close()
    return process, link


@pytest.mark.chaos
def test_a_stopped_process_is_silent(child):
    process, link = child
    frame = Frame(Address(1, bytes(32), 5, 0), 1)
    os.kill(process.pid, signal.SIGSTOP)
    error = within(3, link.receive, frame, [word()], error=PeerSilent)
    assert (error.party, error.partition, error.step) == ("child", 5, "1")


@pytest.mark.chaos
def test_a_killed_process_is_lost_at_once(child):
    process, link = child
    frame = Frame(Address(1, bytes(32), 5, 0), 1)
    process.kill()
    error = within(0.4, link.receive, frame, [word()], error=PeerLost)
    assert (error.party, error.partition, error.step) == ("child", 5, "1")


def test_silence_ends_a_wait(raw_peer, at):
    link, _, _ = raw_peer()
    error = within(2, link.receive, at(4), [word()], error=PeerSilent)
    assert "0.5 s" in str(error)
    assert error.where["party"] == "mallory"
    within(0.1, link.receive, at(4), [word()], error=PeerSilent)


def test_silence_within_a_frame_ends_it(raw_peer, at):
    link, writes, _ = raw_peer()
    writes.sendall(encode(Kind.DATA, at(0), 8) + b"1234")
    within(2, link.receive, at(0), [word()], error=PeerSilent)


def test_a_peer_that_trickles_is_bounded(raw_peer, quick, at):
    link, writes, _ = raw_peer(replace(quick, message_timeout=0.3))
    writes.sendall(encode(Kind.DATA, at(0), 10_000))
    ended = threading.Event()

    def trickle():
        while not ended.wait(0.01):
            writes.send(b"x")

    with ThreadOf(trickle, ended):
        within(2.5, link.receive, at(0), [np.zeros(10_000, np.uint8)], error=PeerSilent)


def test_a_flood_of_heartbeats_is_bounded(raw_peer, quick, at):
    link, writes, _ = raw_peer(replace(quick, message_timeout=0.2))
    ended = threading.Event()

    def flood():
        while not ended.is_set():
            writes.send(HEARTBEAT * 100)

    writes.settimeout(5)
    with ThreadOf(flood, ended):
        within(3, link.receive, at(0), [word()], error=PeerSilent)
        ended.set()
        link.abort()


class ThreadOf:
    """Runs a function beside the body; `ended` tells it to stop."""

    def __init__(self, target, ended):
        self.ended = ended
        self.thread = threading.Thread(target=self.run, args=(target,))

    def run(self, target):
        try:
            target()
        except OSError:
            return  # the link was closed under it, which is how these tests end

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join(5)


def test_a_torn_frame_is_a_lost_peer(raw_peer, at):
    link, writes, _ = raw_peer()
    writes.sendall(encode(Kind.DATA, at(0), 100_000) + bytes(5000))
    writes.close()
    within(0.4, link.receive, at(0), [np.zeros(100_000, np.uint8)], error=PeerLost)


def test_a_reset_is_a_lost_peer(tcp_pair, at):
    alice, bob = tcp_pair()
    bob.send(at(0), [word()])
    alice.abort()
    within(0.4, bob.receive, at(0), [word()], error=PeerLost)


def test_bytes_that_are_no_frame(raw_peer, at):
    link, writes, _ = raw_peer()
    writes.sendall(b"GET / HTTP/1.1\r\n" * 20)
    within(0.4, link.receive, at(0), [word()], error=Desynchronised)


@pytest.mark.parametrize("kind", [Kind.HEARTBEAT, Kind.GOODBYE])
def test_control_frames_carry_nothing(raw_peer, at, kind):
    link, writes, _ = raw_peer()
    writes.sendall(encode(kind, NO_FRAME, 10))
    within(0.4, link.receive, at(0), [word()], error=Desynchronised)


def test_another_version_is_refused(raw_peer, at):
    link, writes, _ = raw_peer()
    head = bytearray(encode(Kind.DATA, at(0), 8))
    head[4] += 1
    writes.sendall(bytes(head) + bytes(8))
    within(0.4, link.receive, at(0), [word()], error=Desynchronised)


def test_lengths_are_checked_before_memory_is_taken(raw_peer, quick, at):
    for kind, call in ((Kind.DATA, "receive_any"), (Kind.MESSAGE, "receive_message")):
        link, writes, _ = raw_peer(quick)
        writes.sendall(encode(kind, at(0) if kind is Kind.DATA else NO_FRAME, 1 << 60))
        arguments = [at(0)] if kind is Kind.DATA else []
        error = within(0.4, getattr(link, call), *arguments, error=Desynchronised)
        assert str(1 << 60) in str(error)


def test_memory_that_is_not_there_ends_the_link(raw_peer, monkeypatch, at):
    def empty(*_):
        raise MemoryError

    link, writes, _ = raw_peer()
    monkeypatch.setattr(np, "empty", empty)
    writes.sendall(encode(Kind.MESSAGE, NO_FRAME, 1001))
    for _ in range(2):
        with pytest.raises(FaultError, match="no memory for the 1001 bytes") as caught:
            link.receive_message()
        assert caught.value.party == "mallory"


def test_a_limit_of_messages_holds_before_the_message_comes(raw_peer):
    link, writes, _ = raw_peer()
    link.set_message_limit(1000)
    writes.sendall(encode(Kind.MESSAGE, NO_FRAME, 1001))
    error = within(0.4, link.receive_message, error=Desynchronised)
    assert "announced 1001 bytes; the limit is 1000" in str(error)


def test_a_peer_that_takes_nothing_and_says_nothing_is_given_up(raw_peer, quick, at):
    link, _, _ = raw_peer(replace(quick, queue_bytes=1 << 20))
    big = np.zeros(1 << 22, np.uint8)

    def keep_sending():
        for step in range(100):
            link.send(at(step), [big])

    error = within(3, keep_sending, error=PeerSilent)
    assert error.party == "mallory"


def test_a_peer_that_takes_nothing_but_lives_is_waited_for(tcp_pair, quick, at):
    alice, bob = tcp_pair(replace(quick, heartbeat=0.05, silence=0.2))
    big = np.arange(3 << 20, dtype=np.uint64)
    alice.send(at(0), [big])
    threading.Event().wait(0.8)  # time itself is what is tested here: bob computes, and reads nothing
    got = np.zeros_like(big)
    bob.receive(at(0), [got])
    assert (got == big).all()


def test_half_a_link_is_no_link(raw_peer, at):
    link, writes, reads = raw_peer()
    reads.close()
    ended = threading.Event()

    def beat():
        while not ended.wait(0.02):
            writes.sendall(HEARTBEAT)

    with ThreadOf(beat, ended):
        within(1, link.receive, at(0), [word()], error=PeerLost)


def test_an_idle_link_beats(raw_peer, quick):
    link, _, reads = raw_peer(replace(quick, heartbeat=0.05))
    reads.settimeout(2)
    for _ in range(3):
        assert reads.recv(HEADER_BYTES, socket.MSG_WAITALL) == HEARTBEAT
    link.close()
    assert reads.recv(HEADER_BYTES, socket.MSG_WAITALL) == encode(Kind.GOODBYE, NO_FRAME, 0)
    assert reads.recv(1) == b""


def test_an_idle_link_beats_on_once_there_is_memory_again(raw_peer, quick, monkeypatch):
    """What takes all of it is another thread, which is told so, and says so over this link."""
    link, _, reads = raw_peer(replace(quick, heartbeat=0.05))
    changed, without = link._sender._changed, []
    wait = changed.wait

    def short(timeout):
        if len(without) < 2:
            without.append(True)
            raise MemoryError
        return wait(timeout)

    monkeypatch.setattr(changed, "wait", short)
    reads.settimeout(2)
    for _ in range(3):
        assert reads.recv(HEADER_BYTES, socket.MSG_WAITALL) == HEARTBEAT
    assert without == [True, True]


def test_a_link_that_nobody_reads_for_long_still_works(raw_peer, quick, at):
    link, _, reads = raw_peer(replace(quick, heartbeat=0.001, silence=0.1))
    reads.settimeout(2)
    unread = 0
    while (now := pending(reads)) > unread or not now:  # until the kernel takes no more heartbeats
        unread = now
        threading.Event().wait(0.2)
    link.send(at(0), [word()])
    data = bytearray()
    while encode(Kind.DATA, at(0), 8) not in data:
        data += reads.recv(1 << 16)


def pending(sock):
    """Bytes that lie unread in a socket."""
    import fcntl
    import termios

    return struct.unpack("i", fcntl.ioctl(sock, termios.FIONREAD, bytes(4)))[0]


def test_a_listening_link_hands_over_messages_and_signs_of_life(tcp_pair, quick):
    alice, bob = tcp_pair(replace(quick, heartbeat=0.05))
    got, heard, lost = [], threading.Semaphore(0), threading.Event()
    errors = []
    arrived = threading.Event()

    def on_message(payload):
        got.append(payload)
        if payload == b"last":
            arrived.set()

    bob.start_listening(on_message, heard.release, lambda error: (errors.append(error), lost.set()))
    for payload in (b"", b"first", bytes(100_000), b"last"):
        alice.send_message(payload)
    assert arrived.wait(5)
    assert got == [b"", b"first", bytes(100_000), b"last"]
    before = bob.last_heard
    while heard.acquire(blocking=False):
        pass
    assert heard.acquire(timeout=5)  # a heartbeat
    assert bob.last_heard > before
    with pytest.raises(SessionError):
        bob.receive_message()
    bob.send_message(b"and back")
    assert alice.receive_message() == b"and back"
    alice.abort()
    assert lost.wait(5)
    assert [type(error) for error in errors] == [PeerLost]


def test_messages_are_signs_of_life(pair, quick):
    """... also where they leave no time for a heartbeat."""
    alice, bob = pair(replace(quick, heartbeat=60.0, silence=200.0))
    heard, last = threading.Event(), threading.Event()
    bob.start_listening(lambda payload: last.set() if payload == b"last" else None, heard.set)
    for payload in (b"first", b"last"):
        alice.send_message(payload)
    assert last.wait(5)
    assert heard.wait(5)


def test_a_message_that_must_not_be_ends_the_listening(tcp_pair):
    alice, bob = tcp_pair()
    lost, errors = threading.Event(), []

    def refuse(payload):
        raise Desynchronised("no order", party="alice")

    bob.start_listening(refuse, None, lambda error: (errors.append(error), lost.set()))
    alice.send_message(b"nonsense")
    assert lost.wait(5)
    assert [type(error) for error in errors] == [Desynchronised]


def test_closing_a_listening_link_is_no_loss(tcp_pair):
    _, bob = tcp_pair()
    lost = []
    bob.start_listening(lost.append, on_lost=lost.append)
    bob.close()
    assert lost == []


def test_a_listening_link_may_be_closed_from_its_own_thread(tcp_pair, engine_threads):
    alice, bob = tcp_pair()
    closed = threading.Event()
    bob.start_listening(lambda _: (bob.close(), closed.set()))
    alice.send_message(b"go")
    assert closed.wait(5)
    with pytest.raises(PeerLost):
        alice.receive_message()
