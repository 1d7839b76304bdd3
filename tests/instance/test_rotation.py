"""A new key is pinned by the old one's word; whoever has the old one is hung up on, and nobody else's word counts."""

from __future__ import annotations

import hashlib
import shutil
import signal
import socket
from queue import SimpleQueue
from threading import Event, Thread
from time import monotonic

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

import icm_ray as icm
from cluster.cli.instance import serve
from cluster.cli.main import app
from icm_ray.instance import instance as instances
from icm_ray.instance import rotation
from icm_ray.instance.audit import AuditLog
from icm_ray.instance.conversation import Conversation
from icm_ray.instance.doorkeeper import CHECK, INSTANCE
from icm_ray.instance.found import found
from icm_ray.instance.halves import Half
from icm_ray.instance.instance import Instance
from icm_ray.instance.keys import InstanceKey
from icm_ray.instance.messages import ListDatasets, Ping, Pong
from icm_ray.instance.rotation import Rotation, Rotations, exchange, finish, rotate, successor
from icm_ray.instance.settings import Settings
from icm_ray.runtime.orders.messages import Failed
from icm_ray.transport import Endpoint, TcpStation, TransportConfig
from tests.instance.conftest import meet


@pytest.fixture
def served(tmp_path, monkeypatch):
    """Makes an instance, or makes it anew: it keeps its port."""
    monkeypatch.setattr(instances, "_REDIAL", 0.1)
    living = {}

    def serve(name, dial_only=False):
        folder = tmp_path / name
        if name in living:
            port = living[name].port
            living.pop(name).close()
            text = (folder / "icm.toml").read_text()
            (folder / "icm.toml").write_text(text.replace('"127.0.0.1:0"', f'"127.0.0.1:{port}"'))
        else:
            found(folder, Settings(name, "organisation", "127.0.0.1:0", dial_only=dial_only, spare_workers=0))
        living[name] = Instance(folder)
        return living[name]

    yield serve
    for instance in living.values():
        instance.close()


def test_a_peer_takes_a_new_key(served, tmp_path):
    alice, bob = served("alice"), served("bob", dial_only=True)
    meet(alice, bob)
    assert isinstance(alice.ask("bob", Ping(), 30), Pong)
    old = alice.key
    said = CliRunner().invoke(app, ["peers", "--home", str(tmp_path / "alice"), "--rotate"], env={"COLUMNS": "200"})
    assert said.exit_code == 0, said.output
    assert alice.stale
    alice = served("alice")
    assert not alice.stale
    assert alice.key.certificate != old.certificate
    assert isinstance(alice.ask("bob", Ping(), 30), Pong)  # he dials, finds another key, and is shown whose it is
    assert bob.roster.peers["alice"].certificate == alice.key.certificate
    assert bob.roster.peers["alice"].state == "approved"
    assert [entry.who for entry in bob.audit.entries() if entry.what == "rotated"] == ["alice"]
    rotate(tmp_path / "bob", "bob")
    bob = served("bob")
    assert isinstance(alice.ask("bob", Ping(), 30), Pong)  # he dials with a key that she does not know yet
    assert alice.roster.peers["bob"].certificate == bob.key.certificate


def test_a_peer_who_listens_is_shown_a_new_key(served, tmp_path):
    """... and whoever still has the old one is hung up on."""
    alice, bob = served("alice"), served("bob")
    meet(alice, bob)
    thief, gone = alice.key, Event()
    station = TcpStation(thief.identity, None, True, TransportConfig())
    link = station.open(Endpoint("bob", "127.0.0.1", bob.port, bob.key.certificate), INSTANCE + "x" * 32, True)
    talk = Conversation("alice", "bob", link, pytest.fail, alice.settings.limits, lambda _: gone.set())
    talk.call(ListDatasets(), 10)
    rotate(tmp_path / "alice", "alice")
    alice = served("alice")
    assert isinstance(alice.ask("bob", Ping(), 30), Pong)
    assert bob.roster.peers["alice"].certificate == alice.key.certificate
    assert gone.wait(10)
    with pytest.raises(icm.PeerRefused):
        station.open(Endpoint("bob", "127.0.0.1", bob.port, bob.key.certificate), INSTANCE + "y" * 32, True)
    assert isinstance(bob.ask("alice", Ping(), 30), Pong)


def test_a_peer_opens_a_few_links_and_no_more(served):
    alice, bob = served("alice"), served("bob")
    meet(alice, bob)
    station = TcpStation(alice.key.identity, None, True, TransportConfig())
    place, gone = Endpoint("bob", "127.0.0.1", bob.port, bob.key.certificate), Event()
    talks = []
    try:
        for number in range(9):
            link = station.open(place, f"{INSTANCE}{number:032}", True)
            ended = (lambda _: gone.set()) if number == 8 else None
            talks.append(Conversation("alice", "bob", link, pytest.fail, alice.settings.limits, ended))
            if number < 8:
                assert isinstance(talks[-1].call(Ping(), 10), Pong)
        assert gone.wait(10)
        assert isinstance(talks[0].call(Ping(), 10), Pong)
    finally:
        for talk in talks:
            talk.close()


def test_links_of_one_peer_share_what_it_may_ask_a_second(served):
    """... new ones among them: hanging up and dialling again gives nothing."""
    alice, bob = served("alice"), served("bob")
    meet(alice, bob)
    station = TcpStation(alice.key.identity, None, True, TransportConfig())
    place = Endpoint("bob", "127.0.0.1", bob.port, bob.key.certificate)
    began, answered, refused = monotonic(), 0, 0
    for number in range(6):
        link = station.open(place, f"{(INSTANCE, CHECK)[number % 2]}{number:032}", True)
        talk = Conversation("alice", "bob", link, pytest.fail, alice.settings.limits)
        for asked in [talk.submit(Ping()) for _ in range(40)]:
            said = asked.result(10)
            answered += isinstance(said, Pong)
            refused += isinstance(said, Failed) and "calls a second" in said.message
        talk.close()
    assert answered + refused == 240
    assert answered <= bob.settings.limits.calls * (1 + monotonic() - began) + 1
    assert refused > 0 or monotonic() - began > 3


def test_what_serves_takes_a_new_key_by_itself(tmp_path, monkeypatch):
    folder, made, handlers = tmp_path / "alice", SimpleQueue(), []
    old = found(folder, Settings("alice", listen="127.0.0.1:0", spare_workers=0))

    class Watched(Instance):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            made.put(self)

    monkeypatch.setattr(instances, "Instance", Watched)
    monkeypatch.setattr(signal, "signal", lambda _, handler: handlers.append(handler))
    serving = Thread(target=serve, args=(folder,))
    serving.start()
    try:
        assert made.get(timeout=20).key.certificate == old.certificate
        new = rotate(folder, "alice")
        assert made.get(timeout=20).key.certificate == new.certificate
    finally:
        handlers[-1](None, None)
        serving.join(20)
    assert not serving.is_alive()
    assert [entry.what for entry in AuditLog(folder).entries()] == ["serving", "ended", "serving", "ended"]


def test_whoever_is_revoked_shows_nothing(served, tmp_path):
    alice, bob = served("alice"), served("bob")
    meet(alice, bob)
    bob.roster.set_state("alice", "revoked")
    rotate(tmp_path / "alice", "alice")
    pinned = bob.roster.peers["alice"].certificate
    assert exchange("alice", Rotations(tmp_path / "alice").chain, ("127.0.0.1", bob.port)) == ()
    assert bob.roster.peers["alice"].certificate == pinned


def test_what_is_no_exchange(served):
    bob = served("bob")
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    with pytest.raises(icm.PeerLost):
        exchange("alice", (), ("127.0.0.1", port))
    assert exchange("alice", (), ("127.0.0.1", bob.port)) == ()


# --- revocation ---------------------------------------------------------------------------------------------------


class Handle:
    """Of a worker that runs nothing."""

    def __init__(self):
        self.killed = False

    def lost(self):
        return "killed" if self.killed else ""

    def kill(self):
        self.killed = True

    def ended(self, timeout):
        return self.killed


def test_revocation_ends_links_and_workers_at_once(served, tmp_path):
    """... of lanes with whom is revoked, whoever asked for them."""
    alice, bob = served("alice"), served("bob", dial_only=True)
    meet(alice, bob)
    assert isinstance(alice.ask("bob", Ping(), 30), Pong)
    halves = {}
    for lane, (asker, others) in enumerate((("bob", ()), ("alice", ("bob", "carol")), ("alice", ()))):
        half = halves[lane] = Half(asker, Handle(), (asker, "127.0.0.1", 1, b""), 0.0)
        half.organisations |= set(others)
        alice.halves._halves["0" * 16, lane] = half
    said = CliRunner().invoke(app, ["peers", "--home", str(tmp_path / "alice"), "--revoke", "bob"])
    assert said.exit_code == 0, said.output
    assert not alice.connected("bob")
    assert [half.handle.killed for half in halves.values()] == [True, True, False]
    with pytest.raises(icm.InstanceError, match=r"bob is revoked, .* icm invite bob"):
        alice.ask("bob", Ping(), 5)
    with pytest.raises(icm.PeerLost, match="does not expect this link"):
        bob.ask("alice", Ping(), 5)


# --- chains -------------------------------------------------------------------------------------------------------


@pytest.fixture
def keys(tmp_path):
    return [InstanceKey.create("alice", tmp_path / str(number)) for number in range(3)]


def link(old, new, name="alice", signer=None, prover=None):
    blank = Rotation(name, hashlib.sha256(old.certificate).digest(), new.certificate)
    return replace(
        blank,
        signature=(signer or old).sign("rotate", blank.signed),
        proof=(prover or new).sign("rotate", blank.signed),
    )


def test_a_chain_is_followed_from_what_is_pinned(keys):
    one, two, three = keys
    chain = (link(one, two), link(two, three))
    for at in keys:
        assert successor("alice", at.certificate, chain) == three.certificate
    assert successor("alice", two.certificate, chain[:1]) == two.certificate  # nothing leads back
    assert successor("alice", one.certificate, chain[1:]) == one.certificate


def test_nobody_elses_word_counts(keys):
    one, two, three = keys
    for forged in (
        link(one, two, signer=three),
        link(one, two, prover=three),
        link(one, two, name="bob"),
        replace(link(one, two), certificate=three.certificate),
        replace(link(one, two), signature=one.sign("worker", link(one, two).signed)),
        replace(link(one, two), certificate=b"none"),
    ):
        assert successor("alice", one.certificate, (forged, link(two, three))) == one.certificate


@pytest.mark.parametrize("at", ["before", "between", "after"])
def test_a_crash_leaves_one_key_whole(tmp_path, monkeypatch, at):
    folder = tmp_path / "alice"
    old = found(folder, Settings("alice"))

    class Crash(Exception):
        pass

    def crash(*_, **__):
        raise Crash

    with monkeypatch.context() as patched:
        put, removed = rotation.os.replace, shutil.rmtree
        target, crashing = {
            "before": ((Rotations, "add"), crash),
            "between": ((rotation.os, "replace"), lambda a, b: crash() if b == folder / "key.pem" else put(a, b)),
            "after": ((shutil, "rmtree"), lambda a, **k: crash() if a.exists() else removed(a, **k)),
        }[at]
        patched.setattr(*target, crashing)
        with pytest.raises(Crash):
            rotate(folder, "alice")
    finish(folder)
    now = InstanceKey.load("alice", folder)
    assert (now.certificate == old.certificate) == (at == "before")
    assert not (folder / "next").exists()
    assert oct((folder / "key.pem").stat().st_mode)[-3:] == "600"
    again = rotate(folder, "alice")
    assert successor("alice", old.certificate, Rotations(folder).chain) == again.certificate
