"""Logs whose heads were shown: rewritten on either side, they do not pass."""

from __future__ import annotations

import hashlib
import json
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

import icm_ray as icm
from cluster.cli.main import app
from icm_ray.instance import audit as audit_file
from icm_ray.instance import heads as heads_file
from icm_ray.instance.audit import AuditLog, Head, chained
from icm_ray.instance.decisions import Decisions
from icm_ray.instance.found import found
from icm_ray.instance.heads import Heads, Kept, signed_head
from icm_ray.instance.keys import InstanceKey
from icm_ray.instance.messages import Forward
from icm_ray.instance.proving import AskLog, LogPart, verify
from icm_ray.instance.roster import Peer, Roster
from icm_ray.instance.settings import Settings
from tests.instance.asked import requested


class Two:
    """alice, whose folder this is, and bob's log, of which she asks."""

    def __init__(self, root):
        self.home = root / "alice"
        found(self.home, Settings("alice"))
        self.key, self.bob = InstanceKey.load("alice", self.home), InstanceKey.create("bob", root / "bob")
        self.log, self.theirs = AuditLog(self.home), AuditLog(root / "bob")
        self.heads, self.theirs_of_us, self.calls = Heads(self.home), (), 0
        Roster(self.home).add(Peer("bob", self.bob.certificate, state="approved"))
        self.log.add("alice", "serving")
        self.work(3)

    def work(self, entries):
        for _ in range(entries):
            self.theirs.add("alice", "worker")

    def seen(self):
        """As with a lane: each keeps what the other shows."""
        self.heads.keep("bob", signed_head(self.bob, self.theirs.head(), 0), self.bob.certificate)
        self.theirs_of_us = (*self.theirs_of_us, Kept(signed_head(self.key, self.log.head(), 0), self.key.certificate))

    def ask(self, peer, call):
        self.calls += 1
        digests = self.theirs.since(call.head, 2)
        shown = signed_head(self.bob, self.theirs.head(), 0)
        return LogPart(digests or b"", digests is not None, shown, self.theirs_of_us)

    def verified(self, ask=None):
        return [(one.outcome, one.what, one.said) for one in verify("alice", self.home, ask or self.ask)]

    def outcomes(self, ask=None):
        return [outcome for outcome, _, _ in self.verified(ask)]


@pytest.fixture
def two(tmp_path):
    return Two(tmp_path)


def test_logs_that_grow_pass(two):
    assert two.outcomes() == ["ok", "ok", "ok"]
    for _ in range(3):
        two.seen()
        two.work(3)
        two.log.add("bob", "worker")
    assert len(two.heads.of("bob")) == 3
    assert two.outcomes() == ["ok", "ok", "ok"]
    (kept,) = two.heads.of("bob")
    assert kept.shown.head == two.theirs.head(), "it stands for all before"
    before = two.calls
    assert two.outcomes() == ["ok", "ok", "ok"]
    assert two.calls == before + 1, "what was shown is not shown again"


@pytest.mark.parametrize("since", [0, 1, 2])
def test_a_peer_that_rewrites_its_log_is_found_out(two, tmp_path, since):
    """From any entry on, with a chain that holds and grows: a head that was shown between two others counts, too."""
    two.seen()
    two.work(2)
    two.seen()
    two.work(2)
    two.seen()
    path = tmp_path / "bob" / "audit.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[: 2 + 2 * since]))
    assert two.outcomes()[1] == "failed", "cut"
    two.work(9)
    assert two.theirs.entries(), "the chain alone holds"
    outcome, _, said = two.verified()[1]
    assert outcome == "failed"
    assert "entry" in said
    two.seen()
    assert two.outcomes()[1] == "failed", "what it shows later heals nothing"
    two.heads.forget("bob")
    assert two.outcomes() == ["ok", "ok", "ok"]


def test_an_own_log_from_a_backup_is_noticed(two):
    path = two.home / "audit.jsonl"
    backup = path.read_bytes()
    two.log.add("bob", "question")
    two.seen()
    assert two.outcomes() == ["ok", "ok", "ok"]
    path.write_bytes(backup)
    outcome, what, said = two.verified()[2]
    assert (outcome, what) == ("failed", "own log, as bob has seen it")
    assert "which the own log does not contain" in said
    two.log.add("bob", "another question")
    assert two.outcomes() == ["ok", "ok", "failed"], "of that length, and another"


def test_an_own_log_that_was_changed_is_said_to_be(two):
    path = two.home / "audit.jsonl"
    path.write_bytes(path.read_bytes().replace(b"serving", b"started"))
    assert two.verified() == [("failed", "own log", f"{path}: line 1 was changed")]


def test_a_peer_that_lies_does_not_pass(two):
    two.seen()
    two.work(2)
    good = two.ask("bob", AskLog(two.heads.of("bob")[0].shown.head))
    stranger = InstanceKey.create("bob", two.home / "stranger")

    def said(**changed):
        facts = {"digests": good.digests, "found": True, "shown": good.shown, "kept": (), **changed}
        return two.outcomes(lambda *_: LogPart(**facts))[1]

    assert said() == "ok"
    for lie in (
        {"digests": good.digests[:32]},
        {"digests": b""},
        {"digests": bytes(64)},
        {"digests": good.digests[:40]},
        {"found": False},
        {"shown": signed_head(stranger, good.shown.head, 0)},
        {"shown": signed_head(two.key, good.shown.head, 0)},
        {"shown": signed_head(two.bob, Head(10**9, "1" * 64), 0)},
    ):
        two.heads.forget("bob")
        two.heads.keep("bob", signed_head(two.bob, Head(3, _after(two, 3)), 0), two.bob.certificate)
        assert said(**lie) == "failed", lie
    forged = Kept(signed_head(stranger, Head(99, "2" * 64), 0), stranger.certificate)
    assert two.outcomes(lambda *_: LogPart(good.digests, True, good.shown, (forged,)))[2] == "warning"


def _after(two, entries):
    return two.theirs.hashes()[entries]


def test_whoever_is_away_is_not_waited_for(two):
    two.seen()

    def ask(*_):
        raise icm.PeerLost("bob's instance cannot be reached", party="bob")

    outcome, _, said = two.verified(ask)[1]
    assert outcome == "warning"
    assert "last head: entry 3" in said
    Roster(two.home).set_state("bob", "revoked")
    assert two.outcomes() == ["ok", "skipped"]


def test_heads_are_kept_if_they_are_signed_and_so_many(two):
    wrong, none = signed_head(two.key, Head(1, "1" * 64), 0), signed_head(two.bob, Head(1, "g" * 64), 0)
    own, theirs = two.key.certificate, two.bob.certificate
    for shown, certificate in ((wrong, own), (wrong, theirs), (none, theirs)):
        with pytest.raises(icm.InstanceError, match="has not signed"):
            two.heads.keep("bob", shown, certificate)
    for number in range(200):
        shown = signed_head(two.bob, Head(number, f"{number:064x}"), 0)
        two.heads.keep("bob", shown, two.bob.certificate)
        two.heads.keep("bob", shown, two.bob.certificate)
        kept = [one.shown.head.entries for one in two.heads.of("bob")]
        assert (kept[0], kept[-1]) == (0, number)
        assert len(kept) <= heads_file.MOST_KEPT
    assert kept == sorted(set(kept))
    (path,) = (two.home / "heads").glob("[0-9a-f]*.json")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_digest_tells_nothing_of_an_entry(tmp_path):
    """Equal entries have unequal ones."""
    for name in ("one", "two"):
        AuditLog(tmp_path / name).add("bob", "worker")
    one, two = (AuditLog(tmp_path / name) for name in ("one", "two"))
    assert one.since(Head(), 1) != two.since(Head(), 1)
    assert one.head() == Head(1, chained(Head().hash, one.since(Head(), 1)))


def test_a_log_is_shown_in_parts_and_read_once(two, monkeypatch):
    two.work(40)
    read, decode = [], audit_file._ENTRIES.decode
    monkeypatch.setattr(audit_file, "_ENTRIES", SimpleNamespace(decode=lambda line: read.append(1) or decode(line)))
    at, parts = Head(), []
    while part := two.theirs.since(at, 4):
        for place in range(0, len(part), 32):
            at = Head(at.entries + 1, chained(at.hash, part[place : place + 32]))
        parts.append(len(part) // 32)
    assert (at, sum(parts)) == (two.theirs.head(), 43)
    assert len(read) < 43 + 2 * len(parts), "each part goes on where the one before ended"
    assert two.theirs.since(Head(2, "0" * 64), 4) is None


@pytest.mark.parametrize("kept", [0, 3, 7])
def test_another_log_in_its_place_is_not_read_on(two, tmp_path, kept):
    """... from where an answer has ended, whether it is shorter or longer."""
    two.work(5)
    part = two.theirs.since(Head(), 4)
    at = Head()
    for place in range(0, len(part), 32):
        at = Head(at.entries + 1, chained(at.hash, part[place : place + 32]))
    path = tmp_path / "bob" / "audit.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:kept]))
    assert (two.theirs.since(at, 4) is None) == (kept < 4)
    two.work(12)
    assert (two.theirs.since(at, 4) is None) == (kept < 4)


def test_what_was_said_at_length_is_written_down_by_its_digest(tmp_path):
    """An approval and its entry go together, however many values it leaves open."""
    number = requested(tmp_path, 1, "").number
    many = "|".join(str(65 + 1_000_000 * one) for one in range(9000))
    one = Decisions("alice", tmp_path).approve(number, 1, params=[f"age={many}"])
    (entry,) = AuditLog(tmp_path).entries()
    assert len(one.left_open) > 1 << 16
    assert entry.facts["number"] == str(number)
    assert entry.facts["left_open"].startswith(one.left_open[:100])
    assert hashlib.sha256(one.left_open.encode()).hexdigest() in entry.facts["left_open"]
    AuditLog(tmp_path).add("bob", "question", **{f"fact{place}": "\x00" * 1000 for place in range(9)})
    assert len(AuditLog(tmp_path).entries()) == 2


# --- with every lane ----------------------------------------------------------------------------------------------


def test_heads_are_exchanged_with_every_lane(organisations, alice):
    """Between all of a lane, the dealer too; `icm audit verify` then asks them."""
    alice.frame({"alice": "visits", "bob": "visits"})["cost"].mean().reveal()
    for name, (folder, _) in organisations.items():
        for other in organisations:
            assert (other != name) == bool(Heads(folder).of(other)), (name, other)
    home = organisations["alice"][0]
    invoked = CliRunner().invoke(app, ["audit", "verify", "--home", str(home), "--json"], env={"ICM_LEDGER": None})
    assert invoked.exit_code == 0, (invoked.output, invoked.exception)
    said = {one["what"]: one for one in json.loads(invoked.output)}
    assert all(one["outcome"] == "ok" for one in said.values())
    for name in ("bob", "carol"):
        assert "a chain of entries leads on to entry" in said[f"{name}'s log"]["said"]
        assert "which it contains" in said[f"own log, as {name} has seen it"]["said"]
    other = alice._own.link.call(Forward("bob", AskLog(Head(1, "0" * 64))))
    assert not other.found
    assert other.digests == b""
