"""What is dealt ahead of time is as fresh as what is dealt live: no two slots, parties or runs share a word."""

from itertools import combinations

import msgspec
import numpy as np
import pytest

from icm_ray.errors import AddressReused, Desynchronised
from icm_ray.ops.compare import AtLeast
from icm_ray.ops.linear import Input, Reveal
from icm_ray.ops.seams import Address, Frame
from icm_ray.ops.values import ValueType
from icm_ray.party.party import Party
from icm_ray.preprocessing.directory import Directory
from icm_ray.preprocessing.filling import END, Filling
from icm_ray.preprocessing.keys import slot_key, slot_secret
from icm_ray.preprocessing.stock import PartyStock
from icm_ray.program.build import Builder
from icm_ray.program.keys import key_for
from icm_ray.program.stamped import Stamped
from icm_ray.ring.prg import KEY_BYTES, Key, derive_key, derive_secret
from icm_ray.transport import Transcript, memory_links
from tests.thread_lane import ThreadLane

NAMES = ("alice", "bob")
ROWS = 4096


def program():
    builder = Builder(NAMES)
    x = builder.add(Input("alice", "x", ValueType(shape=(ROWS,), width=40)))
    builder.add(Reveal("bob", "y"), builder.add(AtLeast(7), x))
    return builder.build()


X = {"alice": {"x": np.zeros(ROWS, np.uint64)}}


def words(payload: bytes) -> np.ndarray:
    return np.frombuffer(payload[: len(payload) // 8 * 8], np.uint64)


@pytest.fixture(scope="module")
def played():
    """Two live runs and two prepared ones on the same input: all frames by sender, receiver and run."""
    transcript = Transcript()
    runs, marks = [], [0]
    with ThreadLane(NAMES, (), transcript) as lane:
        lane.preprocess(program(), 2)
        marks.append(len(transcript))
        for _ in range(4):
            outcomes = lane.run(program(), X)
            assert not outcomes["bob"].results["y"].any()
            runs.append((outcomes["alice"].preprocessed, len(transcript)))
    assert [preprocessed for preprocessed, _ in runs] == [True, True, False, False]
    return transcript


def frames(transcript, receiver, sender):
    """Payloads of the rounds (or corrections) by attempt, in order."""
    by_attempt = {}
    for item in transcript.of(receiver, sender):
        if item.frame is not None and item.frame.step != END:
            by_attempt.setdefault(item.frame.address.attempt, []).append(item)
    return by_attempt


@pytest.mark.parametrize(
    ("receiver", "sender", "attempts"), [("bob", "alice", 4), ("alice", "bob", 4), ("alice", "dealer", 4)]
)
def test_no_run_or_slot_shares_a_word_with_another(played, receiver, sender, attempts):
    """Openings of the same zeros differ in every word, and so do corrections: of slots, and of slots and live runs."""
    found = frames(played, receiver, sender)
    assert len(found) == attempts
    masked = [
        words(b"".join(item.payload for item in items if len(item.payload) >= 8 * ROWS)) for items in found.values()
    ]
    for a, b in combinations(masked, 2):
        assert a.size == b.size > ROWS // 2
        assert (a != b).all()


def test_the_corrections_of_a_slot_travel_when_it_is_prepared_and_not_again(played):
    found = frames(played, "alice", "dealer")
    slots = [key for key, items in found.items() if key <= 2]
    live = [key for key in found if key > 4]
    assert (slots, live) == ([1, 2], [5, 6]), "attempts 3 and 4 were prepared runs: nothing was dealt in them"
    layout = [[(item.step, item.tag, len(item.payload)) for item in items] for items in found.values()]
    assert all(one == layout[0] for one in layout)


def test_openings_under_a_slot_are_uniform(played):
    """Of 4096 openings of zero under each slot: every bit is set about half of the time."""
    for attempt, items in frames(played, "bob", "alice").items():
        opened = words(next(item.payload for item in items if len(item.payload) >= 8 * ROWS // 2))
        share = np.unpackbits(opened.view(np.uint8)).mean()
        assert abs(share - 0.5) < 5 * 0.5 / np.sqrt(opened.size * 64), attempt


def test_keys_of_slots_differ_in_everything_and_from_live_ones():
    base = {"program": b"p" * 32, "store": b"s" * 16, "offset": 1, "attempt": 2}
    others = [{"program": b"q" * 32}, {"store": b"t" * 16}, {"offset": 2}, {"attempt": 3}]
    pair = b"z" * 32

    def stream(key):
        return key.words(0, 0, 4).tobytes()

    def of(secret, where):
        made = slot_secret(secret, **where)
        return stream(slot_key(made, where["program"], where["store"], where["offset"]))

    found = [of(pair, base), of(b"y" * 32, base), *(of(pair, {**base, **other}) for other in others)]
    address = Address(1, base["program"], base["offset"], base["attempt"])
    found += [stream(key_for(pair, purpose, address)) for purpose in ("dealer", "pair")]
    assert len(set(found)) == len(found)
    assert len(slot_secret(pair, **base)) == 32


def test_a_longer_output_of_the_same_context_would_continue_the_key():
    """Why secrets and keys have purposes of their own: HKDF's output is one stream for one context."""
    same, other = (Key(derive_secret(b"k" * 32, context)[:KEY_BYTES]).words(0, 0, 2) for context in ("same", "other"))
    words = derive_key(b"k" * 32, "same").words(0, 0, 2)
    assert words.tolist() == same.tolist()
    assert words.tolist() != other.tolist()


@pytest.fixture
def taking():
    links = memory_links(("alice", "bob", "dealer"))
    stock = PartyStock(Directory.private(), "alice")
    alice = Party(
        "alice", {"bob": links["alice"]["bob"]}, links["alice"]["dealer"], {"bob": b"s" * 32}, b"d" * 32, stock
    )
    yield alice, links["dealer"]["alice"]
    stock.close()


def send_slot(link, said, frames=2, told=None):
    link.send_message(msgspec.msgpack.encode(said))
    address = Address(said.job, said.program, said.offset, said.attempt)
    for tag in range(frames):
        link.send(Frame(address, 1, tag), (np.zeros(3, np.uint64),))
    link.send(Frame(address, END, frames if told is None else told), (np.empty(0, np.uint8),))


def filling(**other):
    return msgspec.structs.replace(Filling(1, Stamped(program()).digest, b"s" * 16, 0, 1), **other)


def test_a_slot_is_taken(taking):
    alice, link = taking
    send_slot(link, filling())
    alice.stock.add(alice.preprocess(Stamped(program()), 1, 1))
    assert alice.stock.left(Stamped(program()).digest) == 1


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"job": 2}, Desynchronised),
        ({"program": b"q" * 32}, Desynchronised),
        ({"offset": 1}, Desynchronised),
        ({"attempt": 0}, AddressReused),
        ({"store": b"short"}, Desynchronised),
    ],
)
def test_another_slot_is_refused(taking, said, error):
    alice, link = taking
    send_slot(link, filling(**said))
    with pytest.raises(error):
        alice.preprocess(Stamped(program()), 1, 1)


def test_a_slot_that_ends_early_is_refused(taking):
    alice, link = taking
    send_slot(link, filling(), told=3)
    with pytest.raises(Desynchronised, match="ended early"):
        alice.preprocess(Stamped(program()), 1, 1)


def test_attempts_grow_over_slots_and_stores_have_one_name(taking):
    alice, link = taking
    for said in (filling(), filling(offset=1, attempt=1)):
        send_slot(link, said)
    with pytest.raises(AddressReused, match="attempt 1"):
        alice.preprocess(Stamped(program()), 1, 2)


def test_something_else_than_a_slot_is_refused(taking):
    alice, link = taking
    link.send_message(b"\xc1")
    with pytest.raises(Desynchronised, match="start of a slot"):
        alice.preprocess(Stamped(program()), 1, 1)
