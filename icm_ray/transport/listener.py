"""Where peers dial in. A connection is kept only if someone here expects it, from that peer, under that certificate."""

from __future__ import annotations

import socket
import ssl
import threading
from dataclasses import dataclass
from enum import IntEnum
from time import monotonic
from typing import Final, Protocol, Self

from icm_ray.transport.channel import Channel, agree
from icm_ray.transport.config import TransportConfig
from icm_ray.transport.hello import ACCEPTED, REFUSED, REFUSED_TLS, Direction, Hello, read_hello
from icm_ray.transport.identity import Identity, is_pinned
from icm_ray.transport.pending_links import Endpoint, PendingLink, PendingLinks
from icm_ray.transport.stream import tune

__all__ = ["Door", "Listener"]

_BACKLOG: Final = 128
_PAUSE: Final = 0.1
"""After a failed accept (no file descriptors left, most likely), so that it is not tried in a tight loop."""
_LINGER: Final = 1.0
"""Seconds in which one that was refused may take its answer; its unread bytes would destroy that otherwise."""
_UNREAD: Final = 64 << 10


class Door(Protocol):
    """Who may come without being expected. Called in threads of the listener."""

    def whom(self, hello: Hello) -> Endpoint | None:
        """Whose certificate whoever asks for this link must show; None where nobody may open it."""

    def opened(self, link: str, peer: Endpoint) -> None:
        """A peer has shown that certificate, and opens the link: somebody here claims it from now on. Returns soon."""

    def stranger(self, sock: socket.socket, hello: Hello, deadline: float) -> bool:
        """Speak with one whose certificate nobody knows yet, and return True; False where nothing is to be said."""


class _Stage(IntEnum):
    """How far a connection has come. The one that has come least far is the first to go."""

    SILENT = 0
    NAMED = 1
    EXPECTED = 2


@dataclass(slots=True, eq=False)
class _Admission:
    """A connection under examination; `sock` is exchanged when TLS takes it over.

    evicted: to make room. dropped: it was counted as turned away.
    """

    sock: socket.socket
    source: str
    stage: _Stage = _Stage.SILENT
    evicted: bool = False
    dropped: bool = False
    thread: threading.Thread | None = None


class Listener:
    """Accepts connections in the background, from the moment of its making to `close`.

    Whoever can reach it can open connections that say nothing, or nonsense: each is given seconds, and where they are
    too many (from one address, or together) the oldest of those that have come least far makes room.
    With `tls=False` nothing is authenticated and everything can be read: for tests and benchmarks on one machine.
    """

    def __init__(
        self,
        identity: Identity,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: bool = True,
        config: TransportConfig | None = None,
        door: Door | None = None,
    ) -> None:
        self.config = config or TransportConfig()
        self.tls = tls
        self.dropped = 0
        """Connections that were turned away: unexpected, late, malformed, or under a wrong certificate."""
        self._identity, self._door = identity, door
        self._expectations = PendingLinks(identity.name, self.config.connect_timeout)
        self._lock = threading.Lock()
        self._admissions: dict[_Admission, None] = {}  # the oldest first
        self._stopping = threading.Event()
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        self._socket = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        tune(self._socket, self.config)
        address = self._socket.getsockname()
        self.endpoint = Endpoint(identity.name, address[0], address[1], identity.certificate)
        self._thread = threading.Thread(target=self._accept, name=f"icm-accept-{identity.name}", daemon=True)
        self._thread.start()

    def only(self, session: str) -> None:
        """Drop at once, from now on, what asks for links of other sessions: names of links begin with the session's."""
        self._expectations.only(session)

    def expect(self, name: str, peer: Endpoint) -> None:
        """Let `peer` open the link `name` before anybody here waits for it.

        Raises AddressReused when the name was used at this listener before.
        """
        self._expectations.expect(name, peer)

    def use(self, name: str) -> None:
        """Mark a name as used, for a link that this side dials. Raises AddressReused."""
        self._expectations.use(name)

    def claim(self, name: str, peer: Endpoint) -> dict[Direction, Channel]:
        """Wait for the two authenticated channels of a link, at most `config.connect_timeout`.

        Raises PeerRefused, PeerSilent, AddressReused or SessionClosed.
        """
        return self._expectations.claim(name, peer)

    def close(self) -> None:
        """Stop listening and drop what nobody has claimed; open links stay open. Idempotent."""
        with self._lock:
            if self._stopping.is_set():
                return
            self._stopping.set()
            admissions = list(self._admissions)
            for admission in admissions:
                _shut(admission.sock)
        self._expectations.close()
        _shut(self._socket)  # wakes accept()
        self._thread.join()
        self._socket.close()
        for admission in admissions:
            if admission.thread is not None:
                admission.thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                sock, source = self._socket.accept()
            except ConnectionError:
                continue  # the caller hung up before it was answered
            except OSError:
                self._stopping.wait(_PAUSE)
                continue
            admission = _Admission(sock, source[0])
            with self._lock:
                if self._stopping.is_set():
                    sock.close()
                    return
                self._make_room(admission.source)
                admission.thread = threading.Thread(target=self._admit, args=(admission,), daemon=True)
                admission.thread.start()
                self._admissions[admission] = None
            self._expectations.look()

    def _make_room(self, source: str) -> None:
        """For one connection more from this address. The lock is held."""
        crowd = [admission for admission in self._admissions if not admission.evicted]
        same = [admission for admission in crowd if admission.source == source]
        if len(same) >= self.config.max_pending_per_source:
            crowd = same
        elif len(crowd) < self.config.max_pending:
            return
        goes = min(crowd, key=lambda admission: admission.stage)  # the first of them: the oldest
        goes.evicted = True
        self._drop(goes)
        _shut(goes.sock)

    def _admit(self, admission: _Admission) -> None:
        """Examine one connection, in a thread of its own: a slow or hostile one must not hold up the others."""
        kept = False
        try:
            kept = self._examine(admission, monotonic() + self.config.connect_timeout)
        except OSError:
            kept = False  # broken off, timed out or (ssl.SSLError) not authenticated
        finally:
            with self._lock:
                self._admissions.pop(admission, None)
                if not kept:
                    self._drop(admission)
                    admission.sock.close()

    def _drop(self, admission: _Admission) -> None:
        """Count it, once. The lock is held."""
        self.dropped += not admission.dropped
        admission.dropped = True

    def _examine(self, admission: _Admission, deadline: float) -> bool:
        hello = read_hello(admission.sock, self._soon(deadline))
        if hello is None:
            return False
        admission.stage = _Stage.NAMED
        if self._door is not None and self._door.stranger(admission.sock, hello, self._soon(deadline)):
            return False
        expected = None
        if hello.tls == self.tls:
            waits = deadline
            if self._door is not None and (guest := self._door.whom(hello)) is not None:
                self._expectations.welcome(hello.link, guest)
            elif self._door is not None:
                waits = monotonic()  # the door knows who may come: whoever may not hears so now
            expected = self._expectations.find(hello.link, hello.sender, waits, lambda: admission.evicted)
        if expected is None or (self.tls and not expected.peer.certificate):
            if not admission.evicted:
                self._refuse(admission, REFUSED_TLS if hello.tls else REFUSED)
            return False
        try:
            return self._taken_in(admission, hello, expected, deadline)
        finally:
            self._expectations.unwelcome(expected)

    def _taken_in(self, admission: _Admission, hello: Hello, expected: PendingLink, deadline: float) -> bool:
        """Whether whoever is expected is there, and its channel was handed over."""
        admission.stage = _Stage.EXPECTED
        if self.tls:
            expected.refusal = "a connection in its name did not pass authentication"
            if not self._authenticated(admission, hello, expected.peer, self._soon(deadline)):
                self._refuse(admission, REFUSED)
                return False
            expected.refusal = ""
        if not self._expectations.reserve(expected, hello.direction):
            self._refuse(admission, REFUSED)
            return False
        admission.sock.sendall(ACCEPTED)
        channel = Channel(admission.sock)
        if isinstance(admission.sock, ssl.SSLSocket):
            channel = agree(admission.sock, hello.encode(), dialled=False, deadline=self._soon(deadline))
        with self._lock:  # who is evicted until here tries again, in vain: this direction is taken
            admission.sock = channel.sock
            if admission.evicted or self._stopping.is_set():
                return False
            delivered = self._expectations.deliver(expected, hello.direction, channel)
        if delivered and self._door is not None and self._expectations.unclaimed_guest(expected):
            self._door.opened(hello.link, expected.peer)
        return delivered

    def _soon(self, deadline: float) -> float:
        return min(deadline, monotonic() + self.config.hello_timeout)

    def _refuse(self, admission: _Admission, answer: bytes) -> None:
        """Tell the dialler that to try again is of no use."""
        with self._lock:
            self._drop(admission)
        admission.sock.settimeout(_LINGER)
        admission.sock.sendall(answer)
        self._linger(admission)

    def _linger(self, admission: _Admission) -> None:
        """Wait a moment until the dialler hangs up, which has been told why."""
        sock, deadline, unread = admission.sock, monotonic() + _LINGER, _UNREAD
        admission.stage = _Stage.SILENT
        with self._lock:
            self._drop(admission)
        _shut(sock, socket.SHUT_WR)
        while unread > 0 and (left := deadline - monotonic()) > 0:
            sock.settimeout(left)
            if not (piece := socket.socket.recv(sock, unread)):
                return
            unread -= len(piece)

    def _authenticated(self, admission: _Admission, hello: Hello, peer: Endpoint, deadline: float) -> bool:
        context = self._identity.server_context(peer.certificate)
        with self._lock:
            if self._stopping.is_set() or admission.evicted:
                return False
            admission.sock.settimeout(max(0.001, deadline - monotonic()))
            secure = context.wrap_socket(admission.sock, server_side=True, do_handshake_on_connect=False)
            admission.sock = secure
        try:
            secure.do_handshake()
        except ssl.SSLError:  # OpenSSL has told the dialler by itself
            self._linger(admission)
            raise
        return is_pinned(secure, peer.certificate) and read_hello(secure, deadline) == hello


def _shut(sock: socket.socket, how: int = socket.SHUT_RDWR) -> None:
    """Wake whoever waits in this socket."""
    try:
        socket.socket.shutdown(sock, how)
    except OSError:
        return  # not connected any more
