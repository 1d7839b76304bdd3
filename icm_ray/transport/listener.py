"""Where peers dial in. A connection is kept only if someone here expects it, from that peer, under that certificate."""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass
from time import monotonic
from typing import Final, Self

from icm_ray.transport.config import TransportConfig
from icm_ray.transport.hello import ACCEPTED, Direction, Hello, read_hello
from icm_ray.transport.identity import Identity, is_pinned
from icm_ray.transport.pending_links import Endpoint, PendingLinks
from icm_ray.transport.stream import tune

__all__ = ["Listener"]

_BACKLOG: Final = 128
_PAUSE: Final = 0.1
"""After a failed accept (no file descriptors left, most likely), so that it is not tried in a tight loop."""


@dataclass(slots=True, eq=False)
class _Admission:
    """A connection under examination; `sock` is exchanged when TLS takes it over."""

    sock: socket.socket
    thread: threading.Thread | None = None


class Listener:
    """Accepts connections in the background, from the moment of its making to `close`.

    With `tls=False` nothing is authenticated and everything can be read: for tests and benchmarks on one machine.
    """

    def __init__(
        self,
        identity: Identity,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: bool = True,
        config: TransportConfig | None = None,
    ) -> None:
        self.config = config or TransportConfig()
        self.tls = tls
        self.dropped = 0
        """Connections that were turned away: unexpected, late, malformed, or under a wrong certificate."""
        self._identity = identity
        self._expectations = PendingLinks(identity.name, self.config.connect_timeout)
        self._lock = threading.Lock()
        self._admissions: set[_Admission] = set()
        self._stopping = threading.Event()
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        self._socket = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        tune(self._socket, self.config)
        address = self._socket.getsockname()
        self.endpoint = Endpoint(identity.name, address[0], address[1], identity.certificate)
        self._thread = threading.Thread(target=self._accept, name=f"icm-accept-{identity.name}", daemon=True)
        self._thread.start()

    def expect(self, name: str, peer: Endpoint) -> None:
        """Let `peer` open the link `name` before anybody here waits for it.

        Raises AddressReused when the name was used at this listener before.
        """
        self._expectations.expect(name, peer)

    def use(self, name: str) -> None:
        """Mark a name as used, for a link that this side dials. Raises AddressReused."""
        self._expectations.use(name)

    def claim(self, name: str, peer: Endpoint) -> dict[Direction, socket.socket]:
        """Wait for the two authenticated sockets of a link, at most `config.connect_timeout`.

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
                sock, _ = self._socket.accept()
            except ConnectionError:
                continue  # the caller hung up before it was answered
            except OSError:
                self._stopping.wait(_PAUSE)
                continue
            admission = _Admission(sock)
            with self._lock:
                if self._stopping.is_set() or len(self._admissions) >= self.config.max_pending:
                    self.dropped += 1
                    sock.close()
                    continue
                admission.thread = threading.Thread(target=self._admit, args=(admission,), daemon=True)
                admission.thread.start()
                self._admissions.add(admission)

    def _admit(self, admission: _Admission) -> None:
        """Examine one connection, in a thread of its own: a slow or hostile one must not hold up the others."""
        kept = False
        try:
            kept = self._examine(admission, monotonic() + self.config.connect_timeout)
        except OSError:
            kept = False  # broken off, timed out or (ssl.SSLError) not authenticated
        finally:
            with self._lock:
                self._admissions.discard(admission)
                if not kept:
                    self.dropped += 1
                    admission.sock.close()

    def _examine(self, admission: _Admission, deadline: float) -> bool:
        hello = read_hello(admission.sock, deadline)
        if hello is None or hello.tls != self.tls:
            return False
        expected = self._expectations.find(hello.link, hello.sender, deadline)
        if expected is None:
            return False
        if self.tls:
            expected.refusal = "a connection in its name did not pass authentication"
            if not self._authenticated(admission, hello, expected.peer, deadline):
                return False
            expected.refusal = ""
        if not self._expectations.reserve(expected, hello.direction):
            return False
        admission.sock.sendall(ACCEPTED)
        return self._expectations.deliver(expected, hello.direction, admission.sock)

    def _authenticated(self, admission: _Admission, hello: Hello, peer: Endpoint, deadline: float) -> bool:
        if not peer.certificate:
            return False
        context = self._identity.server_context(peer.certificate)
        with self._lock:
            if self._stopping.is_set():
                return False
            admission.sock.settimeout(max(0.001, deadline - monotonic()))
            secure = context.wrap_socket(admission.sock, server_side=True, do_handshake_on_connect=False)
            admission.sock = secure
        secure.do_handshake()
        return is_pinned(secure, peer.certificate) and read_hello(secure, deadline) == hello


def _shut(sock: socket.socket) -> None:
    """Wake whoever waits in this socket."""
    try:
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    except OSError:
        return  # not connected any more
