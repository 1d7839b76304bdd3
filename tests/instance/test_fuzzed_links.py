"""Damaged messages and frames over links of a peer whom the roster names: the instance refuses each, hangs up or
answers, goes on for honest peers, and keeps nothing of them.
"""

from __future__ import annotations

import logging
import random
import socket
import threading
from queue import SimpleQueue
from time import monotonic, sleep

import msgspec
import pytest

from icm_ray.errors import FaultError
from icm_ray.instance.call_rate import WORKING
from icm_ray.instance.doorkeeper import INSTANCE
from icm_ray.instance.messages import Call, Envelope, Ping, Pong, decode_envelope
from icm_ray.ops.seams import NO_PROGRAM, Address, Frame
from icm_ray.transport import Endpoint, TcpStation
from icm_ray.transport.wire import NO_FRAME, Kind
from tests.bad_payloads import CORPUS
from tests.drawn_values import Drawer, altered
from tests.instance.test_fuzzed import SAMPLES, WORDS

MARK = "Quxalorne"
"""In what the peer says: no log holds it."""
_PATIENCE = 20.0
FRAMES = {
    "words that nobody waits for": (Kind.DATA, Frame(Address(1, NO_PROGRAM, 0, 0), 0, 0), b"\xff" * 8, 8),
    "a message longer than any": (Kind.MESSAGE, NO_FRAME, b"", 1 << 40),
    "a message of an address": (Kind.MESSAGE, Frame(Address(1, NO_PROGRAM, 0, 1), 2, 3), b"\x80", 1),
    "a heartbeat with a body": (Kind.HEARTBEAT, NO_FRAME, b"\xc0", 1),
    "a goodbye with a body": (Kind.GOODBYE, NO_FRAME, b"\xc0", 1),
}


class Impostor:
    """Speaks for bob with alice's instance, over one link after the other."""

    def __init__(self, bob, alice):
        self._station = TcpStation(bob.key.identity, None, True, alice._station._listener.config)
        self._there = Endpoint("alice", "127.0.0.1", alice.port, alice.key.certificate)
        self._random = random.Random(3)
        self._link, self._numbers = None, 0
        self.heard, self.answers, self.links, self.lost = SimpleQueue(), [], 0, 0

    def _open(self):
        self.links += 1
        self.heard = heard = SimpleQueue()
        link = self._station.open(self._there, INSTANCE + self._random.randbytes(16).hex(), True)
        link.start_listening(heard.put, None, lambda _: heard.put(None))
        return link

    def says(self, payload=None, frame=None):
        """... and then asks whether anybody is there: until that is answered, or the other side has hung up."""
        link = self._link = self._link or self._open()
        self._numbers += 1
        number = (1 << 40) + self._numbers
        try:
            if payload is not None:
                link.send_message(payload)
            else:
                kind, address, body, length = frame
                link._sender.send(kind, address, [memoryview(body)] if body else [], length)
            link.send_message(msgspec.msgpack.encode(Envelope(number, call=Ping())))
        except FaultError:
            self.hang_up()
            return
        while (found := self.heard.get(timeout=_PATIENCE)) is not None:
            envelope = decode_envelope(found, "alice")
            if envelope.number == number:
                return
            self.answers.append(envelope)
        self.lost += 1
        self.hang_up()

    def hang_up(self):
        link, self._link = self._link, None
        if link is not None:
            link.abort()

    def close(self):
        self.hang_up()
        self._station.close()


@pytest.fixture
def impostor(organisations, monkeypatch):
    alice, bob = (organisations[name][1] for name in ("alice", "bob"))

    def start(*_):
        raise FaultError("there are no workers here")

    monkeypatch.setattr(alice.halves._workers, "start", start)
    made = Impostor(bob, alice)
    yield made
    made.close()


def messages(seed, count):
    """Sound ones, damaged ones, and those that once did harm."""
    drawer = Drawer(seed, (*WORDS, MARK), SAMPLES)
    sound = [msgspec.msgpack.encode(Envelope(number, call=drawer.value(Call))) for number in range(100)]
    corpus = list(CORPUS.values())
    for number in range(count):
        one = sound[number % len(sound)]
        if number % 10 == 9:
            yield corpus[number // 10 % len(corpus)]
        elif number % 2:
            yield altered(drawer.random, one, sound[number * 7 % len(sound)])
        else:
            yield one


def entries(instance):
    return instance.audit.head().entries


@pytest.mark.parametrize("count", [40, pytest.param(800, marks=pytest.mark.slow)])
def test_an_instance_goes_on(organisations, impostor, count, caplog, capfd):
    (folder, alice), bob = organisations["alice"], organisations["bob"][1]
    assert isinstance(bob.ask("alice", Ping(), 30.0), Pong)
    most, before = threading.active_count() + WORKING, entries(alice)
    with caplog.at_level(logging.DEBUG):
        for payload in messages(count, count):
            impostor.says(payload)
        for frame in FRAMES.values():
            impostor.says(frame=frame)
        impostor.close()
    assert impostor.lost > count / 10, "damaged messages end their link"
    assert len(impostor.answers) > count / 10, "others are answered or refused"
    assert isinstance(bob.ask("alice", Ping(), 30.0), Pong)
    assert alice._answers.to_peer("bob", Ping()).name == "alice"
    said = msgspec.msgpack.encode(impostor.answers)
    for hidden in (str(folder).encode(), b".parquet", b"secrets"):
        assert hidden not in said
    written = caplog.text.encode() + "".join(capfd.readouterr()).encode()
    assert MARK.encode() not in written + (folder / "audit.jsonl").read_bytes()
    assert entries(alice) - before < count, "nothing is written of what is no call"
    deadline = monotonic() + _PATIENCE
    while threading.active_count() > most and monotonic() < deadline:
        sleep(0.05)
    assert threading.active_count() <= most, "what links were given ends with them"
    held = alice._conversations.get("bob", [])
    assert len([one for one in held if not one.gone]) <= 2


def test_what_is_no_link_is_dropped(organisations):
    """Bytes of a stranger, before and in the place of TLS."""
    alice, bob = (organisations[name][1] for name in ("alice", "bob"))
    drawn, before = random.Random(8), entries(alice)
    hello = b"ICMH\x02\x01\x00" + (33).to_bytes(2) + (3).to_bytes(2) + b"instance/" + b"a" * 24 + b"bob"
    for number in range(20):
        head = hello[: drawn.randrange(len(hello) + 1)] if number % 2 else hello
        with socket.create_connection(("127.0.0.1", alice.port), 10) as sock:
            sock.sendall(head + drawn.randbytes(drawn.randrange(200)))
    assert isinstance(bob.ask("alice", Ping(), 30.0), Pong)
    assert entries(alice) == before


def test_no_more_links_of_one_peer_than_it_may_have(organisations, impostor):
    alice, bob = (organisations[name][1] for name in ("alice", "bob"))
    links = []
    try:
        links += [impostor._open() for _ in range(12)]
        deadline = monotonic() + _PATIENCE
        while len(alice._conversations["bob"]) > 8 and monotonic() < deadline:
            sleep(0.05)
        assert len(alice._conversations["bob"]) <= 8
    finally:
        for link in links:
            link.abort()
    assert isinstance(bob.ask("alice", Ping(), 30.0), Pong)
