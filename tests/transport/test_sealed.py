"""Sealed streams: what comes out is what went in, or the stream ends; and nothing of it is to be seen on the way."""

import errno
import socket
import threading

import numpy as np
import pytest

from icm_ray.errors import PeerLost
from icm_ray.transport import sealed
from icm_ray.transport.sealed import RECORD, SealedStream
from icm_ray.transport.stream import PlainStream
from icm_ray.transport.wire import take

SECRET = bytes(range(32))


@pytest.fixture
def ends(stack):
    """A sender, a reader, and the two bare sockets between them: what the one writes and what the other is to read."""
    one, out = socket.socketpair()
    into, other = socket.socketpair()
    for sock in (one, out, into, other):
        stack.enter_context(sock)
    return SealedStream(PlainStream(one, 0.0), SECRET), out, into, SealedStream(PlainStream(other, 0.0), SECRET)


def record(sender, out, payload):
    """The bytes of one record."""
    assert sender.send_some([memoryview(payload)]) == len(payload)
    return out.recv(RECORD + 20)


def taken(reader, size, timeout=5.0):
    """`size` bytes of a stream, or less where it ends."""
    got = memoryview(bytearray(size))
    done = 0
    while done < size and (count := reader.receive_into(got[done:], timeout)):
        done += count
    return bytes(got[:done])


def test_buffers_of_all_sizes_arrive_in_parts_of_all_sizes(stack):
    here, there = socket.socketpair()
    stack.enter_context(here)
    stack.enter_context(there)
    sender, reader = SealedStream(PlainStream(here, 0.0), SECRET), SealedStream(PlainStream(there, 0.0), SECRET)
    rng = np.random.default_rng(3)
    sizes = [1, 68, 3, 16383, 16384, 16385, 1, RECORD - 1, RECORD, RECORD + 1, 5, 3 * RECORD + 7, 1, 1]
    sent = rng.bytes(sum(sizes))
    views, at = [], 0
    for size in sizes:
        views.append(memoryview(sent)[at : at + size])
        at += size

    def write():
        while views:
            count = sender.send_some(views)
            take(views, count)
            if not count:
                sender.wait_writable(1.0)

    writing = threading.Thread(target=write)
    writing.start()
    got = b"".join(taken(reader, size) for size in (7, 1, 70_000, 200_000, RECORD, 30, 1)) + taken(reader, 4)
    got += taken(reader, len(sent) - len(got))
    writing.join()
    assert got == sent
    assert not reader.pending()


def test_nothing_of_it_is_seen(ends):
    sender, out, into, reader = ends
    marker = b"the diagnosis" * 20
    first, second = record(sender, out, marker), record(sender, out, marker)
    assert first != second
    assert b"diagnosis" not in first + second
    into.sendall(first + second)
    assert taken(reader, 2 * len(marker)) == 2 * marker


def altered(records):
    first, second, third = records
    for place in (3, 4, len(first) - 1):  # the length, what is sealed, the tag
        flipped = bytearray(first)
        flipped[place] ^= 1
        yield bytes(flipped) + b"\0" * 8
    yield first + first  # repeated
    yield first + third  # left out
    yield second + first  # moved
    yield b"\0\0\0\0" + first
    yield b"\xff\xff\xff\xff" + first


@pytest.mark.parametrize("case", range(8))
def test_what_is_altered_repeated_left_out_or_moved_does_not_open(ends, case):
    sender, out, into, reader = ends
    records = [record(sender, out, text) for text in (b"one one", b"two two", b"three!!")]
    into.sendall(list(altered(records))[case])
    with pytest.raises(OSError, match="record") as caught:
        taken(reader, 21)
    assert caught.value.errno == errno.EBADMSG


def test_of_another_key_nothing_opens(ends, stack):
    sender, out, into, _ = ends
    here, there = socket.socketpair()
    stack.enter_context(here)
    stack.enter_context(there)
    into.sendall(record(sender, out, b"word"))
    here.sendall(record(sender, out, b"word"))
    stranger = SealedStream(PlainStream(there, 0.0), bytes(32))
    with pytest.raises(OSError, match="altered"):
        taken(stranger, 4)


def test_keys_follow_one_another(ends, monkeypatch):
    monkeypatch.setattr(sealed, "_EPOCH", 3)
    sender, out, into, reader = ends
    words = [b"number %d" % number for number in range(10)]
    ciphers = []
    for word in words:
        into.sendall(record(sender, out, word))
        ciphers.append(sender._keys._cipher)
    assert [taken(reader, len(word)) for word in words] == words
    assert len(set(map(id, ciphers))) == 4


def test_a_record_that_is_not_whole_is_waited_for(ends):
    sender, out, into, reader = ends
    whole = record(sender, out, b"a word")
    view = memoryview(bytearray(6))
    for place in range(len(whole) - 1):
        into.sendall(whole[place : place + 1])
        with pytest.raises(TimeoutError):
            reader.receive_into(view, 0.001)
    assert reader.pending()
    into.sendall(whole[-1:])
    assert reader.receive_into(view, 1.0) == 6
    assert bytes(view) == b"a word"


def test_a_record_takes_one_read_where_the_one_before_was_a_large_one(ends, monkeypatch):
    """Its length comes with the record before it; none is moved but for that."""
    sender, out, into, reader = ends
    into.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    payload = np.random.default_rng(2).bytes(20_000)
    into.sendall(b"".join(record(sender, out, payload) for _ in range(5)))
    reads, read = [], reader._plain.receive_into
    monkeypatch.setattr(
        reader._plain, "receive_into", lambda view, timeout: reads.append(read(view, timeout)) or reads[-1]
    )
    assert taken(reader, 5 * len(payload)) == 5 * payload
    assert len(reads) == 6  # the first takes two: nobody knew its length
    assert not reader.pending()


def test_an_end_is_an_end_within_a_record_too(ends):
    sender, out, into, reader = ends
    into.sendall(record(sender, out, b"a word")[:-1])
    into.close()
    assert reader.receive_into(memoryview(bytearray(6)), 1.0) == 0


def test_what_the_kernel_does_not_take_is_sent_later(ends):
    sender, out, into, reader = ends
    payload = np.random.default_rng(1).bytes(RECORD // 4)
    full = 0
    while sender.send_some([memoryview(payload)]):
        full += 1
    assert full
    out.setblocking(False)
    count, went = 0, bytearray()
    while not count:  # the same bytes again, until they have left
        went += out.recv(1 << 16)
        count = sender.send_some([memoryview(payload)])
    assert count == len(payload)
    while True:
        try:
            went += out.recv(1 << 20)
        except BlockingIOError:
            break
    writing = threading.Thread(target=into.sendall, args=(went,))
    writing.start()
    assert taken(reader, len(payload) * (full + 1)) == payload * (full + 1)
    writing.join()


def test_a_link_whose_bytes_are_altered_is_lost(tcp_pair, at, monkeypatch):
    one, other = tcp_pair(tls=True)
    stream = one._outgoing._plain
    send = stream.send_some

    def flipped(views):
        return send([memoryview(bytes([*views[0][:-1], views[0][-1] ^ 1]))])

    monkeypatch.setattr(stream, "send_some", flipped)
    one.send(at(0), [np.ones(5, np.uint64)])
    with pytest.raises(PeerLost, match="altered"):
        other.receive(at(0), [np.zeros(5, np.uint64)])
