"""How organisations meet: tickets, proofs, words, a roster; and a log that nobody can rewrite."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import pytest

import icm_ray as icm
from icm_ray.config import EngineConfig
from icm_ray.instance.audit import AuditLog, Head
from icm_ray.instance.catalogue import Catalogue
from icm_ray.instance.files import changing
from icm_ray.instance.halves import Halves
from icm_ray.instance.keys import InstanceKey, is_signed
from icm_ray.instance.offer import offer
from icm_ray.instance.pictures import PictureShelf, offer_pictures
from icm_ray.instance.roster import Peer, Roster
from icm_ray.instance.settings import Limits, Settings
from icm_ray.instance.tickets import Ticket, proof_of
from icm_ray.instance.words import six_words

ALICE, BOB = b"certificate of alice", b"certificate of bob"
FINGERPRINT = hashlib.sha256(ALICE).digest()


def ticket(expires=100):
    return Ticket.made("alice", "bob", (("icm.example.org", 7800),), ALICE, expires)


def proof(of, name="bob", certificate=BOB):
    return proof_of(of.secret, FINGERPRINT, name, certificate)


def test_a_ticket_is_one_line_that_says_when_it_was_altered():
    made = ticket()
    text = made.as_text()
    assert Ticket.of_text(f"  {text}\n") == made
    assert len(text.split()) == 1
    assert made.secret.hex() not in repr(made)
    for place in range(5, len(text), 7):
        other = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
        with pytest.raises(icm.InstanceError, match="altered"):
            Ticket.of_text(other)
    for wrong in ("", "icm1-", "hello", text[:-3], "icm1-²", "icm1-" + "A" * 5000):
        with pytest.raises(icm.InstanceError):
            Ticket.of_text(wrong)
    with pytest.raises(icm.InstanceError, match="expired"):
        made.check_time(100)


def test_a_ticket_lets_one_guest_in_once(tmp_path):
    roster, made = Roster(tmp_path), ticket()
    bob = Peer("bob", BOB)
    with pytest.raises(icm.InstanceError):
        roster.admit(bob, proof(made), FINGERPRINT, 1)
    roster.invite(made)
    assert str(made.secret) not in repr(roster._read())
    for peer, shown, now in (
        (Peer("mallory", BOB), proof(made, "mallory"), 1),
        (Peer("bob", b"another"), proof(made), 1),
        (bob, bytes(32), 1),
        (bob, proof(made), 100),
    ):
        with pytest.raises(icm.InstanceError, match="no ticket that is still good"):
            roster.admit(peer, shown, FINGERPRINT, now)
    roster.admit(bob, proof(made), FINGERPRINT, 1)
    with pytest.raises(icm.InstanceError, match="no ticket that is still good"):
        roster.admit(bob, proof(made), FINGERPRINT, 1)
    assert roster.owner_of(BOB) is None
    with pytest.raises(icm.InstanceError, match="joined, and not approved"):
        roster.approved("bob")
    roster.set_state("bob", "approved")
    assert roster.owner_of(BOB).name == "bob"
    with pytest.raises(icm.InstanceError, match="already"):
        roster.invite(ticket())
    with pytest.raises(icm.InstanceError, match="another certificate"):
        roster.add(Peer("bob", b"another", state="approved"))
    roster.set_state("bob", "revoked")
    assert roster.owner_of(BOB) is None
    with pytest.raises(icm.InstanceError, match="to meet anew"):
        roster.set_state("bob", "approved")
    assert roster.owner_of(BOB) is None
    assert oct((tmp_path / "roster.json").stat().st_mode)[-3:] == "600"


def test_words_are_those_of_both_certificates():
    words = six_words(ALICE, BOB)
    assert words == six_words(BOB, ALICE)
    assert len(words.split()) == 6
    assert all(len(word) == 5 for word in words.split())
    assert not set(words.split()) & set(six_words(ALICE, b"another").split())


def test_a_signature_is_good_for_one_purpose(tmp_path):
    key = InstanceKey.create("alice", tmp_path)
    signature = key.sign("worker", b"this")
    again = InstanceKey.load("alice", tmp_path)
    assert is_signed(again.certificate, "worker", b"this", signature)
    assert not is_signed(key.certificate, "join", b"this", signature)
    assert not is_signed(key.certificate, "worker", b"that", signature)
    assert not is_signed(b"nothing", "worker", b"this", signature)
    with pytest.raises(icm.InstanceError, match="already"):
        InstanceKey.create("alice", tmp_path)
    (tmp_path / "key.pem").chmod(0o644)
    with pytest.raises(icm.InstanceError, match="others may read"):
        InstanceKey.load("alice", tmp_path)


def test_a_log_that_was_changed_says_where(tmp_path):
    log = AuditLog(tmp_path)
    assert log.since(Head(), 9) == b""
    heads = []
    for number in range(4):
        log.add("bob", "question", digest=str(number))
        heads.append(log.head())
    assert [entry.facts["digest"] for entry in log.entries()] == ["0", "1", "2", "3"]
    assert [len(log.since(head, 2)) for head in heads] == [64, 64, 32, 0]
    path = tmp_path / "audit.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    for changed, line in ((lines[:1] + lines[2:], 2), ([lines[0].replace(b'"0"', b'"9"'), *lines[1:]], 1)):
        path.write_bytes(b"".join(changed))
        with pytest.raises(icm.InstanceError, match=f"line {line} "):
            log.entries()
    path.write_bytes(b"".join(lines[:2]))  # cut off at its end: whoever was shown the head knows
    assert log.since(heads[1], 9) == b""
    assert log.since(heads[3], 9) is None


def test_a_worker_that_cannot_be_started_takes_no_place(tmp_path):
    limits = Limits(workers=1)
    halves = Halves(Settings("alice", limits=limits), EngineConfig(), lambda: ("alice", "", 0, b""))

    def start(*_):
        raise icm.FaultError("nothing can be started")

    halves._workers.start = start
    try:
        for _ in range(2):
            with pytest.raises(icm.FaultError, match="nothing can be started"):
                halves.start("bob", "0123456789abcdef", 0)
    finally:
        halves.close()


def test_a_file_that_another_holds_is_waited_for_within_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr("icm_ray.instance.files._LOCKED", 0.0)
    refused = pytest.raises(icm.InstanceError, match="another process has held it")
    with changing(tmp_path / "file.json"), refused, changing(tmp_path / "file.json"):
        pass
    with changing(tmp_path / "file.json"):
        pass


@pytest.mark.parametrize("name", ["bob.x", "driver", "Dealer", "b/b", "", "b" * 33, "?"])
def test_no_peer_has_a_name_that_stands_for_something_else(tmp_path, name):
    """The ledger of `bob`'s dataset "x.visits" is bob.x.visits, and nobody else's."""
    roster = Roster(tmp_path)
    with pytest.raises(icm.OwnerError, match=r"cannot be a name|the engine's own"):
        roster.invite(Ticket.made("alice", name, (), b"", 2.0**40))
    with pytest.raises(icm.OwnerError, match=r"cannot be a name|the engine's own"):
        roster.add(Peer(name, b"certificate"))
    assert not roster.peers


def test_datasets_and_pictures_have_names_of_their_own(tmp_path):
    np.save(tmp_path / "scans.npy", np.zeros((2, 3, 8, 8), np.float32))
    pd.DataFrame({"x": [1.0, 2.0]}).to_parquet(tmp_path / "x.parquet")
    catalogue, shelf = Catalogue(tmp_path), PictureShelf(tmp_path)
    before = offer_pictures(shelf, "scans", [str(tmp_path / "scans.npy")])
    with pytest.raises(icm.InputError, match="pictures are called"):
        offer(catalogue, "scans", [str(tmp_path / "x.parquet")], icm.Policy())
    offer(catalogue, "x", [str(tmp_path / "x.parquet")], icm.Policy())
    with pytest.raises(icm.InputError, match="a dataset is called"):
        offer_pictures(shelf, "x", [str(tmp_path / "scans.npy")])
    shelf.remove("scans")
    with pytest.raises(icm.InstanceError, match="no picture 'scans'"):
        shelf.remove("scans")
    again = offer_pictures(shelf, "scans", [str(tmp_path / "scans.npy")])
    assert shelf.pictures["scans"].version == again.version != before.version  # the file may hold others by now
