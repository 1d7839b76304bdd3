"""A connected socket with the secret that seals what it carries: what dialling and listening end with.

TLS 1.3 authenticates both sides and hides the names of links. Inside it each side then says 32 fresh bytes, both say
that TLS is over, and what follows on the same socket is sealed under keys of both secrets (`sealed.py`).
"""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass, field
from time import monotonic

from icm_ray.ring.prg import derive_secret, fresh_secret
from icm_ray.transport.config import TransportConfig
from icm_ray.transport.hello import read_exact
from icm_ray.transport.sealed import SealedStream
from icm_ray.transport.stream import PlainStream, Stream

__all__ = ["Channel", "agree", "make_stream"]


@dataclass(slots=True, eq=False)
class Channel:
    """One direction of a link. `secret`: what both ends have agreed on; None without TLS."""

    sock: socket.socket
    secret: bytes | None = field(default=None, repr=False)

    def close(self) -> None:
        """Hang up."""
        self.sock.close()


def agree(sock: ssl.SSLSocket, hello: bytes, *, dialled: bool, deadline: float) -> Channel:
    """End TLS on an authenticated socket that both sides accepted, with a secret of both. `sock` is used up.

    hello: which link and direction it is, in which both agree. Raises OSError, TimeoutError at the deadline.
    """
    mine = fresh_secret()
    sock.settimeout(_left(deadline))
    sock.sendall(mine)
    theirs = read_exact(sock, len(mine), deadline)
    if theirs is None or theirs == mine:
        raise ConnectionResetError("hung up before a secret was agreed on")
    sock.settimeout(_left(deadline))
    sock.unwrap()
    both = mine + theirs if dialled else theirs + mine
    return Channel(socket.socket(fileno=sock.detach()), derive_secret(both, "link", hello))


def make_stream(channel: Channel, config: TransportConfig) -> Stream:
    """The stream over a connected (and, for TLS, authenticated) socket."""
    plain = PlainStream(channel.sock, config.spin)
    return plain if channel.secret is None else SealedStream(plain, channel.secret)


def _left(deadline: float) -> float:
    return max(0.001, deadline - monotonic())
