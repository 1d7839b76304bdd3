"""How links come about: names are good for one link, and nobody waits for ever."""

import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from time import monotonic

import pytest

from icm_ray.errors import (
    AddressReused,
    BoundError,
    FaultError,
    PeerLost,
    PeerRefused,
    PeerSilent,
    SessionClosed,
    SessionError,
    ShapeError,
)
from icm_ray.transport import Endpoint, Identity, Listener, TransportConfig, open_link
from icm_ray.transport.hello import ACCEPTED, Direction, Hello

LINK = "session/lane0/alice-bob/0"
NAMES = ("alice", "bob", "carol", "dave")


@pytest.fixture(scope="module")
def people():
    return {name: Identity.create(name) for name in NAMES}


@pytest.fixture
def dialling(people):
    return {name: Endpoint(name, "", 0, who.certificate) for name, who in people.items()}


@pytest.fixture(params=[False, True], ids=["plain", "tls"])
def tls(request):
    return request.param


@pytest.fixture
def listen(people, stack):
    def make(name, config, tls):
        return stack.enter_context(Listener(people[name], tls=tls, config=config))

    return make


def test_the_dialler_may_come_first_or_last(people, dialling, listen, quick, tls, threads):
    listener = listen("bob", quick, tls)
    for number, first in enumerate((True, False)):
        name = f"link-{number}"
        calls = [
            lambda name=name: open_link(people["alice"], None, listener.endpoint, name, True, quick, tls),
            lambda name=name: open_link(people["bob"], listener, dialling["alice"], name, False, quick, tls),
        ]
        links = [threads.submit(call) for call in (calls if first else calls[::-1])]
        one, other = (link.result(5) for link in links)
        one.send_message(b"hello")
        assert other.receive_message() == b"hello"
        one.close()
        other.close()
    assert listener.dropped == 0


def test_a_name_is_good_for_one_link(people, dialling, listen, quick, tls, stack):
    bob, alice = listen("bob", quick, tls), listen("alice", quick, tls)
    bob.expect(LINK, dialling["alice"])
    with pytest.raises(AddressReused, match="alice-bob"):
        bob.expect(LINK, dialling["alice"])
    mine = stack.enter_context(open_link(people["alice"], alice, bob.endpoint, LINK, True, quick, tls))
    theirs = stack.enter_context(open_link(people["bob"], bob, dialling["alice"], LINK, False, quick, tls))
    with pytest.raises(AddressReused):
        open_link(people["alice"], alice, bob.endpoint, LINK, True, quick, tls)
    with pytest.raises(AddressReused):
        open_link(people["bob"], bob, dialling["alice"], LINK, False, quick, tls)
    with pytest.raises(PeerRefused):  # a dialler that forgot
        open_link(people["alice"], None, bob.endpoint, LINK, True, quick, tls)
    mine.send_message(b"still here")
    assert theirs.receive_message() == b"still here"


def test_a_link_that_nobody_expects_is_dropped_in_time(people, listen, quick, tls):
    listener = listen("bob", replace(quick, connect_timeout=0.3), tls)
    start = monotonic()
    with pytest.raises(PeerRefused, match="bob"):
        open_link(people["alice"], None, listener.endpoint, LINK, True, quick, tls)
    assert monotonic() - start < 3
    assert listener.dropped == 1


def test_a_peer_that_never_dials_is_silent(people, dialling, listen, quick, tls):
    listener = listen("bob", replace(quick, connect_timeout=0.2), tls)
    with pytest.raises(PeerSilent, match="alice") as caught:
        open_link(people["bob"], listener, dialling["alice"], LINK, False, tls=tls)
    assert (caught.value.party, caught.value.step) == ("alice", "connect")


def test_a_listener_that_never_answers_is_silent(people, quick, tls, stack):
    mute = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    peer = Endpoint("bob", *mute.getsockname(), people["bob"].certificate)
    with pytest.raises(PeerSilent, match="bob"):
        open_link(people["alice"], None, peer, LINK, True, replace(quick, connect_timeout=0.2), tls)


def test_nobody_listens(people, quick, tls):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = gone.getsockname()
    with pytest.raises(PeerLost, match="bob cannot be reached"):
        open_link(people["alice"], None, Endpoint("bob", *address, people["bob"].certificate), LINK, True, quick, tls)


@pytest.mark.parametrize(
    ("host", "certificate"), [("a..b", b"x"), ("x" * 300, b"x"), ("no name", b"x"), ("127.0.0.1", b""), ("\x00", b"x")]
)
def test_an_endpoint_that_cannot_be_is_a_typed_error(people, quick, host, certificate):
    with pytest.raises(FaultError, match="bob"):
        open_link(people["alice"], None, Endpoint("bob", host, 9, certificate), LINK, True, quick)


def test_a_peer_without_a_certificate_is_dropped(people, listen, quick):
    listener = listen("bob", replace(quick, connect_timeout=0.5), True)
    listener.expect(LINK, Endpoint("alice", "", 0, b""))
    with pytest.raises(PeerRefused):
        open_link(people["alice"], None, listener.endpoint, LINK, True, quick)
    assert listener.dropped == 1


def test_another_sender_than_expected_is_dropped(people, dialling, listen, quick, tls):
    listener = listen("bob", quick, tls)
    listener.expect(LINK, dialling["alice"])
    with pytest.raises(PeerRefused):
        open_link(people["carol"], None, listener.endpoint, LINK, True, quick, tls)
    assert listener.dropped == 1


@pytest.mark.parametrize(
    "noise", [b"", b"GET / HTTP/1.1\r\n\r\n", b"ICMH\x01\x01\x00" + b"\xff" * 4, b"ICMH\x01\x01\x07" * 9]
)
def test_noise_is_dropped(listen, quick, noise):
    listener = listen("bob", quick, True)
    with socket.create_connection((listener.endpoint.host, listener.endpoint.port)) as sock:
        with suppress(OSError):  # the listener may have hung up before the end of the noise
            sock.sendall(noise)
            sock.shutdown(socket.SHUT_WR)
        sock.settimeout(3)
        with suppress(ConnectionResetError):
            assert sock.recv(1) == b""
    listener.close()
    assert listener.dropped == 1


def knock(stack, listener, said=b"", source="127.0.0.1"):
    sock = socket.create_connection((listener.endpoint.host, listener.endpoint.port), 5, (source, 0))
    sock.sendall(said)
    return stack.enter_context(sock)


def ended(sock, within=5):
    """Whether the other side hangs up; what it says before is dropped."""
    sock.settimeout(within)
    try:
        while sock.recv(100):
            continue
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
    return True


def linked(people, dialling, listener, config, tls, name=LINK):
    """Both ends of a link that alice dials."""
    listener.expect(name, dialling["alice"])
    one = open_link(people["alice"], None, listener.endpoint, name, True, config, tls)
    return one, open_link(people["bob"], listener, dialling["alice"], name, False, config, tls)


def hello(link=LINK, sender="alice", tls=True):
    return Hello(link, sender, Direction.FORTH, tls).encode()


def test_the_oldest_that_says_nothing_makes_room(listen, quick, stack):
    listener = listen("bob", replace(quick, max_pending=3), True)
    named = knock(stack, listener, hello())
    end = monotonic() + 5
    while not any(admission.stage for admission in tuple(listener._admissions)):
        assert monotonic() < end, "its name is read"
    silent = [knock(stack, listener) for _ in range(3)]
    assert ended(silent[0])
    assert not ended(silent[2], 0.05)
    assert not ended(named, 0.05)
    assert listener.dropped == 1


def test_one_address_does_not_take_the_room_of_others(listen, quick, stack):
    listener = listen("bob", replace(quick, max_pending_per_source=2), True)
    other = knock(stack, listener, source="127.0.0.2")
    mine = [knock(stack, listener) for _ in range(4)]
    assert ended(mine[0])
    assert ended(mine[1])
    assert not ended(other, 0.05)
    assert listener.dropped == 2


@pytest.mark.parametrize("said", [b"", hello()[:9], hello(tls=True)[:-1]])
def test_first_words_have_seconds(listen, quick, stack, said):
    listener = listen("bob", replace(quick, hello_timeout=0.1), True)
    assert ended(knock(stack, listener, said), 3)  # connect_timeout is 5 s


def test_a_handshake_has_seconds(dialling, listen, quick, stack):
    listener = listen("bob", replace(quick, hello_timeout=0.1), True)
    listener.expect(LINK, dialling["alice"])
    assert ended(knock(stack, listener, hello()), 3)


def test_links_of_another_session_are_not_waited_for(people, listen, quick, tls, stack):
    listener = listen("bob", quick, tls)
    early = knock(stack, listener, hello("another/lane0/alice-bob/0", tls=tls))
    ours = knock(stack, listener, hello(tls=tls))
    assert not ended(early, 0.05)  # which session is not known yet
    listener.only("session")
    assert ended(early, 3)
    with pytest.raises(PeerRefused, match="does not expect this link"):
        open_link(people["alice"], None, listener.endpoint, "another/lane0/alice-bob/1", True, quick, tls)
    assert not ended(ours, 0.05)


@pytest.mark.parametrize("said", [b"", hello(), hello("another/x"), b"GET / HTTP/1.1\r\n\r\n", bytes(range(150, 210))])
def test_links_open_while_a_listener_is_beset(people, dialling, listen, quick, tls, stack, said):
    """More connections than it takes, of each useless kind; a link needs none of their places."""
    listener = listen("bob", replace(quick, max_pending=16, max_pending_per_source=8), tls)
    for number in range(4):
        for _ in range(10):
            knock(stack, listener, said)
        for link in linked(people, dialling, listener, quick, tls, f"{LINK}{number}"):
            link.close()


def test_a_dialler_that_had_to_make_room_tries_again(people, quick):
    """A listener that hangs up twice on every socket before it listens."""
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        peer = Endpoint("bob", *server.getsockname(), people["bob"].certificate)

        def answer():
            sockets = []
            for turn in range(6):
                sock, _ = server.accept()
                if turn % 3 == 2:
                    sock.sendall(ACCEPTED)
                    sockets.append(sock)
                else:
                    sock.close()
            return sockets

        answered = pool.submit(answer)
        link = open_link(people["alice"], None, peer, LINK, True, quick, tls=False)
        link.abort()
        for sock in answered.result(5):
            sock.close()


def test_a_dialler_gives_up(people, quick, tls):
    tried = []
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        peer = Endpoint("bob", *server.getsockname(), people["bob"].certificate)

        def hang_up():
            with suppress(OSError):
                while True:
                    sock, _ = server.accept()
                    tried.append(1)
                    sock.close()

        pool.submit(hang_up)
        with pytest.raises(PeerRefused, match=r"broke the connection off|did not authenticate"):
            open_link(people["alice"], None, peer, LINK, True, replace(quick, dial_tries=3), tls)
        server.shutdown(socket.SHUT_RDWR)
    assert len(tried) == 3


def test_closing_a_listener_ends_every_wait(people, dialling, listen, quick, threads, engine_threads):
    listener = listen("bob", quick, True)
    waiting = threads.submit(open_link, people["bob"], listener, dialling["alice"], LINK, False)
    dialler = threads.submit(open_link, people["alice"], None, listener.endpoint, "unexpected", True, quick)
    with socket.create_connection((listener.endpoint.host, listener.endpoint.port)):
        listener.close()
        listener.close()
        with pytest.raises(SessionClosed):
            waiting.result(3)
        with pytest.raises(FaultError):
            dialler.result(3)
    with pytest.raises(SessionClosed):
        listener.expect("more", dialling["alice"])
    assert "icm-accept-bob" not in engine_threads()


def test_links_outlive_their_listener(tcp_pair, people, dialling, quick, stack):
    listener = Listener(people["bob"], config=quick)
    listener.expect(LINK, dialling["alice"])
    one = stack.enter_context(open_link(people["alice"], None, listener.endpoint, LINK, True, quick))
    other = stack.enter_context(open_link(people["bob"], listener, dialling["alice"], LINK, False))
    listener.close()
    other.send_message(b"x")
    assert one.receive_message() == b"x"


def test_a_full_mesh_in_any_order(people, listen, quick, tls, threads):
    listeners = {name: listen(name, quick, tls) for name in NAMES}

    def name_of(a, b):
        return f"lane/{min(a, b)}-{max(a, b)}/0"

    for me in NAMES:
        for peer in NAMES:
            if peer < me:
                listeners[me].expect(name_of(me, peer), listeners[peer].endpoint)

    def join(me):
        turn = NAMES.index(me)
        order = [name for name in NAMES[turn:] + NAMES[:turn] if name != me]
        links = {
            peer: open_link(people[me], listeners[me], listeners[peer].endpoint, name_of(me, peer), me < peer, tls=tls)
            for peer in order
        }
        for link in links.values():
            link.send_message(me.encode())
        got = {peer: link.receive_message() for peer, link in links.items()}
        return links, got

    joined = {me: running.result(10) for me, running in {me: threads.submit(join, me) for me in NAMES}.items()}
    for me, (links, got) in joined.items():
        assert got == {peer: peer.encode() for peer in NAMES if peer != me}
        for link in links.values():
            link.close()


def test_modes_must_agree(people, dialling, listen, quick):
    listener = listen("bob", quick, False)
    with pytest.raises(SessionError, match="with TLS"):
        open_link(people["bob"], listener, dialling["alice"], LINK, False, tls=True)
    with pytest.raises(SessionError):
        open_link(people["bob"], None, dialling["alice"], LINK, False)


def test_names_have_a_limit(people, listen, quick):
    listener = listen("bob", quick, False)
    with pytest.raises(ShapeError):
        open_link(people["alice"], None, listener.endpoint, "x" * 2000, True, quick, tls=False)


def test_ipv6(people, dialling, quick, stack):
    if not socket.has_ipv6 or not os.path.exists("/proc/net/if_inet6"):
        pytest.skip("this machine has no IPv6")
    listener = stack.enter_context(Listener(people["bob"], "::1", config=quick))
    listener.expect(LINK, dialling["alice"])
    stack.enter_context(open_link(people["alice"], None, listener.endpoint, LINK, True, quick))


def test_configurations_that_cannot_work_are_refused():
    with pytest.raises(BoundError, match="heartbeat"):
        TransportConfig(heartbeat=10, silence=10)
    with pytest.raises(BoundError, match="queue_bytes"):
        TransportConfig(queue_bytes=0)
    with pytest.raises(BoundError, match="silence"):
        TransportConfig(silence=float("nan"))


@pytest.mark.parametrize("how", ["close", "abort"])
def test_nothing_is_left_behind(people, dialling, quick, tls, engine_threads, how):
    def once(number):
        listener = Listener(people["bob"], tls=tls, config=quick)
        name = f"link-{number}"
        listener.expect(name, dialling["alice"])
        one = open_link(people["alice"], None, listener.endpoint, name, True, quick, tls)
        other = open_link(people["bob"], listener, dialling["alice"], name, False, quick, tls)
        other.start_listening(lambda _: None)
        one.send_message(bytes(200_000))
        getattr(one, how)()
        other.close()
        listener.close()

    once(0)  # what is opened once for all, such as the random device
    files, running = len(os.listdir("/proc/self/fd")), threading.active_count()
    for number in range(5):
        once(number)
    assert len(os.listdir("/proc/self/fd")) == files
    assert threading.active_count() == running
    assert engine_threads() == []
