"""A mask is used once: old attempts, other programs and second uses of a tag are refused."""

import msgspec
import numpy as np
import pytest

from icm_ray.dealer.dealing import OperationDealing
from icm_ray.errors import AddressReused, Desynchronised
from icm_ray.ops.linear import Input, Store
from icm_ray.ops.seams import Address, Frame
from icm_ray.ops.values import ValueType
from icm_ray.owner.sharing import OutsideOwner
from icm_ray.party.correlations import Corrections, DealtShares
from icm_ray.party.party import Party
from icm_ray.program.build import Builder
from icm_ray.program.keys import key_for
from icm_ray.program.run_header import Begin
from icm_ray.program.stamped import Stamped
from icm_ray.ring.prg import derive_key
from icm_ray.schedule.allowances import Allowance
from icm_ray.transport import memory_links

NAMES = ("alice", "bob")
ALLOWED = Allowance({5: 40}, 40, 40)


def program(width=20):
    builder = Builder(NAMES)
    builder.add(Store("k"), builder.add(Input("alice", "x", ValueType(shape=(4,), width=width))))
    return Stamped(builder.build())


def worker(kind):
    """alice, as a party or an owner, and the dealer's end of her link."""
    links = memory_links(("alice", "bob", "dealer"))
    secrets = {"bob": b"s" * 32}
    if kind is Party:
        alice = Party("alice", {"bob": links["alice"]["bob"]}, links["alice"]["dealer"], secrets, b"d" * 32)
    else:
        alice = OutsideOwner("alice", {"bob": links["alice"]["bob"]}, links["alice"]["dealer"], secrets)
    return alice, links["dealer"]["alice"]


def begin(link, job=1, digest=None, partition=0, attempt=1):
    link.send_message(msgspec.msgpack.encode(Begin(job, digest or program().digest, partition, attempt)))


X = {"x": np.arange(4, dtype=np.uint64)}


@pytest.mark.parametrize("attempt", [0, 1, 3])
def test_an_old_attempt_is_refused(attempt):
    alice, link = worker(Party)
    begin(link, attempt=3)
    alice.run(program(), 1, 0, X)
    kept = alice.store["k"].copy()
    begin(link, attempt=attempt)
    with pytest.raises(AddressReused, match=f"attempt {attempt} was used before"):
        alice.run(program(), 1, 0, X)
    begin(link, attempt=4)
    alice.run(program(), 1, 0, X)
    assert not (alice.store["k"] == kept).any(), "a new attempt has fresh words"


def test_an_owner_refuses_an_old_attempt():
    olga, link = worker(OutsideOwner)
    builder = Builder(("bob", "carol"), owners=("alice",))
    nothing = Stamped(builder.build())
    begin(link, digest=nothing.digest, attempt=2)
    olga.run(nothing, 1, 0, {})
    begin(link, digest=nothing.digest, attempt=2)
    with pytest.raises(AddressReused):
        olga.run(nothing, 1, 0, {})


@pytest.mark.parametrize("wrong", [{"job": 2}, {"digest": program(21).digest}, {"partition": 1}])
def test_another_run_is_refused(wrong):
    alice, link = worker(Party)
    begin(link, **wrong)
    with pytest.raises(Desynchronised, match="deals for another run"):
        alice.run(program(), 1, 0, X)
    assert "k" not in alice.store


def test_what_is_no_beginning_is_refused():
    alice, link = worker(Party)
    for wrong in (b"\xc1", b"", b"\x81\xa3job\xa1\x80"):
        link.send_message(wrong)
        with pytest.raises(Desynchronised, match="something else than the start of a run"):
            alice.run(program(), 1, 0, X)


def test_corrections_of_an_old_attempt_are_refused():
    links = memory_links(("alice", "dealer"))
    old, new = (Address(1, bytes(32), 0, attempt) for attempt in (1, 2))
    links["dealer"]["alice"].send(Frame(old, 5, 3), (np.zeros(4, np.uint64),))
    with pytest.raises(Desynchronised):
        Corrections(links["alice"]["dealer"], new, ALLOWED).take(5, 3, 32)


def test_a_correction_of_another_size_is_refused():
    links = memory_links(("alice", "dealer"))
    address = Address(1, bytes(32), 0, 1)
    links["dealer"]["alice"].send(Frame(address, 5, 3), (np.zeros(4, np.uint64),))
    with pytest.raises(Desynchronised, match="32 bytes where 40"):
        Corrections(links["alice"]["dealer"], address, ALLOWED).take(5, 3, 40)


def test_a_tag_is_used_once_by_a_party():
    links = memory_links(("alice", "dealer"))
    corrections = Corrections(links["alice"]["dealer"], Address(1, bytes(32), 0, 1), ALLOWED)
    shares = DealtShares(derive_key(b"k"), 4, False, corrections)
    shares.words(1, 10)
    shares.dealt(2, 10)
    for use in (shares.words, shares.dealt):
        for tag in (1, 2):
            with pytest.raises(AddressReused, match=f"tag {tag} of operation 4"):
                use(tag, 10)


def test_a_tag_is_used_once_by_the_dealer():
    links = memory_links(("alice", "dealer"))
    keys = {name: derive_key(b"k", name) for name in NAMES}
    address = Address(1, bytes(32), 0, 1)
    dealing = OperationDealing(NAMES, keys, 4, "alice", links["dealer"].__getitem__, Frame(address, 4), {})
    dealing.words(0, 4)
    dealing.planes(1, 4)
    dealing.party_words(2, "bob", 4)
    dealing.give(3, np.zeros(4, np.uint64))
    dealing.others_xor(4, 4)
    for tag in range(5):
        for use in (
            dealing.words,
            dealing.planes,
            dealing.others_xor,
            lambda tag, n: dealing.party_words(tag, "bob", n),
        ):
            with pytest.raises(AddressReused, match=f"tag {tag} of operation 4"):
                use(tag, 4)


def test_keys_differ_in_every_part_of_the_address():
    base = {"job": 1, "program": b"p" * 16, "partition": 2, "attempt": 3}
    others = [{"job": 2}, {"program": b"q" * 16}, {"partition": 3}, {"attempt": 4}]
    keys = [key_for(b"s" * 32, "pair", Address(**base)), key_for(b"s" * 32, "dealer", Address(**base))]
    keys += [key_for(b"s" * 32, "pair", Address(**{**base, **other})) for other in others]
    keys.append(key_for(b"t" * 32, "pair", Address(**base)))
    assert len({key.words(0, 0, 4).tobytes() for key in keys}) == len(keys)
