"""A few bytes each way between two who do not know each other's certificates yet, or not any more: TLS 1.3 keeps them
from whoever listens, and says nothing of who is there. What they say has to prove itself.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Final

from icm_ray.errors import PeerRefused
from icm_ray.instance.keys import InstanceKey
from icm_ray.instance.tickets import Address
from icm_ray.transport import Hello
from icm_ray.transport.hello import Direction, read_exact

__all__ = ["LONGEST", "accepted", "dialled", "receive", "send"]

LONGEST: Final = 1 << 16
"""Bytes of one message."""
_LENGTH: Final = 4


@contextmanager
def dialled(address: Address, link: str, name: str, deadline: float) -> Iterator[ssl.SSLSocket]:
    """The dialling side, called `name`. Raises OSError, and `PeerRefused` where whoever is there speaks otherwise."""
    with socket.create_connection(address, timeout=max(0.001, deadline - monotonic())) as plain:
        plain.sendall(Hello(link, name, Direction.FORTH, True).encode())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # the caller holds it against what it has
        try:
            secure = context.wrap_socket(plain)
        except ssl.SSLError as error:
            raise PeerRefused(f"whoever is at {address[0]}:{address[1]} speaks otherwise: {error.reason}") from None
        with secure:
            yield secure


@contextmanager
def accepted(key: InstanceKey, sock: socket.socket, deadline: float) -> Iterator[ssl.SSLSocket]:
    """The accepting side, once the hello was read. Raises OSError."""
    sock.settimeout(max(0.001, deadline - monotonic()))
    with key.identity.open_context().wrap_socket(sock, server_side=True) as secure:
        yield secure


def send(sock: ssl.SSLSocket, payload: bytes) -> None:
    """One message."""
    sock.sendall(len(payload).to_bytes(_LENGTH, "big") + payload)


def receive(sock: ssl.SSLSocket, deadline: float) -> bytes | None:
    """The next message; None where the other side hung up, or says too much."""
    head = read_exact(sock, _LENGTH, deadline)
    if head is None or (length := int.from_bytes(head, "big")) > LONGEST:
        return None
    return read_exact(sock, length, deadline)
