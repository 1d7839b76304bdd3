"""The first bytes on a socket: which link it belongs to, who sends, which way it will carry, and whether TLS follows.

They come in the clear, so that the listener knows which certificate to demand, and again inside TLS, where they count.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from enum import IntEnum
from time import monotonic
from typing import Final

from icm_ray.errors import ShapeError

__all__ = ["ACCEPTED", "REFUSED", "REFUSED_TLS", "Direction", "Hello", "read_exact", "read_hello"]

_FIXED: Final = struct.Struct("<4sB?BHH")
_MAGIC: Final = b"ICMH"
_VERSION: Final = 2
_LONGEST: Final = 1024
ACCEPTED: Final = b"ICMA"
"""The listener's answer: the socket belongs to an expected link of this very peer."""
REFUSED: Final = b"ICMR"
"""... or it does not, and to try again is of no use."""
REFUSED_TLS: Final = bytes.fromhex("15 0303 0002 02 31")
"""The same to a dialler that waits for a TLS handshake: a fatal alert, access denied."""


class Direction(IntEnum):
    """Which way frames will go, as seen from the side that dials."""

    FORTH = 0
    BACK = 1


@dataclass(frozen=True, slots=True)
class Hello:
    """Names one of the two sockets of a link."""

    link: str
    sender: str
    direction: Direction
    tls: bool

    def encode(self) -> bytes:
        """The bytes on the wire."""
        link, sender = self.link.encode(), self.sender.encode()
        if max(len(link), len(sender)) > _LONGEST:
            raise ShapeError(f"names of links and parties have at most {_LONGEST} bytes: {self.link[:80]!r}...")
        return _FIXED.pack(_MAGIC, _VERSION, self.tls, self.direction, len(link), len(sender)) + link + sender


def read_hello(sock: socket.socket, deadline: float) -> Hello | None:
    """The hello that arrives next; None when what arrives is none, or ends early."""
    fixed = read_exact(sock, _FIXED.size, deadline)
    if fixed is None:
        return None
    magic, version, tls, direction, link_length, sender_length = _FIXED.unpack(fixed)
    if (magic, version) != (_MAGIC, _VERSION) or direction > Direction.BACK:
        return None
    if max(link_length, sender_length) > _LONGEST:
        return None
    names = read_exact(sock, link_length + sender_length, deadline)
    if names is None:
        return None
    try:
        return Hello(names[:link_length].decode(), names[link_length:].decode(), Direction(direction), tls)
    except UnicodeDecodeError:
        return None


def read_exact(sock: socket.socket, count: int, deadline: float) -> bytes | None:
    """`count` bytes; None at the end of the stream, TimeoutError at the deadline (`monotonic`)."""
    data = bytearray()
    while len(data) < count:
        left = deadline - monotonic()
        if left <= 0:
            raise TimeoutError
        sock.settimeout(left)
        piece = sock.recv(count - len(data))
        if not piece:
            return None
        data += piece
    return bytes(data)
