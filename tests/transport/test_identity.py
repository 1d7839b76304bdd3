"""Keys that stay where they were made, and certificates that are the only thing trusted."""

import copy
import errno
import os
import pickle
import select
import socket
import ssl
import struct
import tempfile
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from cryptography import x509

from icm_ray.errors import PeerRefused
from icm_ray.transport import Endpoint, Identity, Listener, dial, fingerprint_of, listener, open_link
from icm_ray.transport.channel import agree
from icm_ray.transport.hello import REFUSED, Direction, Hello
from icm_ray.transport.sealed import SealedStream

LINK = "session/lane0/alice-bob/0"


@pytest.fixture(scope="module")
def alice():
    return Identity.create("alice")


@pytest.fixture(scope="module")
def bob():
    return Identity.create("bob")


@pytest.fixture(scope="module")
def mallory():
    """Someone who says to be alice."""
    return Identity.create("alice")


def dialling(identity):
    return Endpoint(identity.name, "", 0, identity.certificate)


def test_the_key_stays(alice):
    for leave in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="private key"):
            leave(alice)
    text = f"{alice!r} {alice}"
    assert "alice" in text
    assert alice.fingerprint[:16] in text
    assert str(alice._key.private_numbers().private_value) not in text


def test_what_is_public(alice, mallory):
    certificate = x509.load_der_x509_certificate(alice.certificate)
    assert certificate.subject.rfc4514_string() == "CN=alice"
    assert alice.fingerprint == fingerprint_of(alice.certificate)
    assert alice.fingerprint != mallory.fingerprint
    endpoint = dialling(alice)
    assert pickle.loads(pickle.dumps(endpoint)) == endpoint
    assert endpoint.fingerprint == alice.fingerprint
    assert len(repr(endpoint)) < 80


def test_names_may_be_long(alice):
    assert Identity.create("party-" * 40).name == "party-" * 40
    assert Identity.create("").certificate


@pytest.mark.parametrize("broken", ["memfd", "proc"])
def test_without_memory_files_the_key_touches_the_disk_encrypted_and_briefly(alice, bob, monkeypatch, tmp_path, broken):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen = []
    original = ssl.SSLContext.load_cert_chain

    def watched(self, path, *arguments, **options):
        with open(path, "rb") as file:
            seen.append((os.stat(path).st_mode & 0o777, file.read()))
        return original(self, path, *arguments, **options)

    def refuse(*_):
        raise OSError

    with monkeypatch.context() as patch:
        patch.setattr(ssl.SSLContext, "load_cert_chain", watched)
        if broken == "memfd":
            patch.setattr(os, "memfd_create", refuse)
        else:
            patch.setattr(os.path, "exists", lambda _: False)
        context = alice.client_context(bob.certificate)
    assert context.verify_mode == ssl.CERT_REQUIRED
    [(mode, content)] = seen
    assert mode == 0o600
    assert b"ENCRYPTED PRIVATE KEY" in content
    assert b"BEGIN PRIVATE KEY" not in content
    assert list(tmp_path.iterdir()) == []


def test_certificates_have_no_end():
    certificate = x509.load_der_x509_certificate(Identity.create("alice").certificate)
    assert certificate.not_valid_before_utc.year == 1970
    assert certificate.not_valid_after_utc.year == 9999


@pytest.mark.parametrize("years", [(1971, 1972), (9000, 9001)], ids=["expired", "not yet valid"])
def test_clocks_may_be_years_apart(monkeypatch, quick, stack, threads, years):
    """Pinned certificates whose dates do not hold now, as with a clock that is far ahead, or behind."""
    begin, end = (datetime(year, 1, 1, tzinfo=UTC) for year in years)
    monkeypatch.setattr("icm_ray.transport.identity._BEGIN", begin)
    monkeypatch.setattr("icm_ray.transport.identity._NO_END", end)
    alice, bob = Identity.create("alice"), Identity.create("bob")
    assert x509.load_der_x509_certificate(alice.certificate).not_valid_after_utc == end
    listener = stack.enter_context(Listener(bob, config=quick))
    waiting = threads.submit(open_link, bob, listener, dialling(alice), LINK, False)
    mine = stack.enter_context(open_link(alice, None, listener.endpoint, LINK, True, quick))
    theirs = stack.enter_context(waiting.result(5))
    mine.send_message(b"me")
    assert theirs.receive_message() == b"me"


def test_only_tls_13(alice, bob, quick, stack):
    listener = stack.enter_context(Listener(bob, config=quick))
    listener.expect(LINK, dialling(alice))
    context = alice.client_context(bob.certificate)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    sock = stack.enter_context(socket.create_connection((listener.endpoint.host, listener.endpoint.port)))
    sock.sendall(Hello(LINK, "alice", Direction.FORTH, True).encode())
    with pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(sock)


@pytest.mark.parametrize("server_side", [True, False])
def test_a_peer_that_hung_up_leaves_no_socket_behind(alice, bob, server_side, stack):
    waiting = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    caller = socket.create_connection(waiting.getsockname())
    sock, _ = waiting.accept()
    caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    caller.close()  # with a reset
    select.select([sock], [], [], 5)
    context = alice.server_context(bob.certificate) if server_side else alice.client_context(bob.certificate)
    number = sock.fileno()
    with pytest.raises(ConnectionResetError) as caught:  # holds the frames, and what they refer to
        context.wrap_socket(sock, server_side=server_side, do_handshake_on_connect=False)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)
    assert caught.value.errno == errno.ECONNRESET


def test_it_is_tls_and_mutual(tcp_pair, at, monkeypatch):
    ends = []

    def seen(sock, *args, **kwargs):
        ends.append((sock.version(), sock.getpeercert(binary_form=True) is not None))
        return agree(sock, *args, **kwargs)

    for module in (dial, listener):
        monkeypatch.setattr(module, "agree", seen)
    one, other = tcp_pair(tls=True)
    assert ends == [("TLSv1.3", True)] * 4
    assert all(type(stream) is SealedStream for link in (one, other) for stream in (link._incoming, link._outgoing))
    one.send(at(0), [np.ones(1, np.uint64)])
    other.receive(at(0), [np.zeros(1, np.uint64)])


def test_a_dialler_with_another_certificate_is_refused(alice, bob, mallory, quick, stack, threads):
    listener = stack.enter_context(Listener(bob, config=replace(quick, connect_timeout=0.6)))
    waiting = threads.submit(open_link, bob, listener, dialling(alice), LINK, False)
    with pytest.raises(PeerRefused, match="bob"):
        open_link(mallory, None, listener.endpoint, LINK, True, quick)
    with pytest.raises(PeerRefused, match="alice") as caught:
        waiting.result(5)
    assert caught.value.party == "alice"
    assert listener.dropped == 1


def test_an_impostor_does_not_keep_the_real_one_out(alice, bob, mallory, quick, stack, threads, at):
    listener = stack.enter_context(Listener(bob, config=quick))
    waiting = threads.submit(open_link, bob, listener, dialling(alice), LINK, False)
    for _ in range(3):
        with pytest.raises(PeerRefused):
            open_link(mallory, None, listener.endpoint, LINK, True, quick)
    mine = stack.enter_context(open_link(alice, None, listener.endpoint, LINK, True, quick))
    theirs = stack.enter_context(waiting.result(5))
    mine.send_message(b"me")
    assert theirs.receive_message() == b"me"


def test_a_listener_with_another_certificate_is_refused(alice, bob, quick, stack):
    false_bob = Identity.create("bob")
    listener = stack.enter_context(Listener(false_bob, config=quick))
    listener.expect(LINK, dialling(alice))
    pinned = replace(listener.endpoint, certificate=bob.certificate)
    with pytest.raises(PeerRefused, match="bob"):
        open_link(alice, None, pinned, LINK, True, quick)


def test_a_peer_cannot_use_the_link_of_another_peer(alice, bob, quick, stack):
    carol = Identity.create("carol")
    listener = stack.enter_context(Listener(bob, config=quick))
    listener.expect(LINK, dialling(alice))
    listener.expect("of-carol", dialling(carol))
    with pytest.raises(PeerRefused):  # under her own name: the link is not hers
        open_link(carol, None, listener.endpoint, LINK, True, quick)
    # under her own link's name in the clear, another's inside TLS
    context = carol.client_context(bob.certificate)
    sock = socket.create_connection((listener.endpoint.host, listener.endpoint.port))
    sock.sendall(Hello("of-carol", "carol", Direction.FORTH, True).encode())
    with context.wrap_socket(sock) as secure:
        secure.sendall(Hello(LINK, "alice", Direction.FORTH, True).encode())
        with suppress(ConnectionError):
            assert secure.recv(4) == REFUSED


def test_bytes_in_the_clear_do_not_pass_for_tls(alice, bob, quick, stack):
    listener = stack.enter_context(Listener(bob, config=quick))
    listener.expect(LINK, dialling(alice))
    with pytest.raises(PeerRefused):
        open_link(alice, None, listener.endpoint, LINK, True, quick, tls=False)
