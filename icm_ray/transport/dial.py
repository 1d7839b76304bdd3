"""The dialling side of a link."""

from __future__ import annotations

import socket
import ssl
from contextlib import ExitStack, closing
from time import monotonic, sleep
from typing import Final

from icm_ray.errors import FaultError, PeerLost, PeerRefused, PeerSilent
from icm_ray.transport.channel import Channel, agree
from icm_ray.transport.config import TransportConfig
from icm_ray.transport.hello import ACCEPTED, Direction, Hello, read_exact
from icm_ray.transport.identity import Identity, is_pinned
from icm_ray.transport.pending_links import Endpoint
from icm_ray.transport.stream import tune

__all__ = ["dial"]

_PAUSE: Final = 0.05
"""Seconds; before each further try twice as many."""
_UNEXPECTED: Final = "does not expect this link from us, or not under this name any more"
_DENIED: Final = "TLSV1_ALERT_ACCESS_DENIED"


def dial(identity: Identity, peer: Endpoint, name: str, config: TransportConfig, tls: bool) -> dict[Direction, Channel]:
    """Both channels of the link `name`, accepted by `peer`. Raises PeerLost, PeerRefused or PeerSilent."""
    deadline = monotonic() + config.connect_timeout
    hellos = {direction: Hello(name, identity.name, direction, tls).encode() for direction in Direction}
    with ExitStack() as opened:
        try:
            channels = {
                direction: opened.enter_context(closing(_introduce(identity, peer, name, hello, config, tls, deadline)))
                for direction, hello in hellos.items()
            }
        except OSError as error:
            raise _explain(error, peer, name, config) from error
        opened.pop_all()
        return channels


def _introduce(
    identity: Identity, peer: Endpoint, name: str, hello: bytes, config: TransportConfig, tls: bool, deadline: float
) -> Channel:
    """One channel, authenticated and accepted. Tried again where the other side hung up without an answer: it may have
    had to make room.
    """
    for number in range(1, config.dial_tries):
        try:
            return _attempt(identity, peer, name, hello, config, tls, deadline)
        except (ConnectionError, ssl.SSLEOFError):
            pause = _PAUSE * 2**number
            if monotonic() + pause > deadline:
                raise
            sleep(pause)
    return _attempt(identity, peer, name, hello, config, tls, deadline)


def _attempt(
    identity: Identity, peer: Endpoint, name: str, hello: bytes, config: TransportConfig, tls: bool, deadline: float
) -> Channel:
    if tls and not peer.certificate:
        raise _refused(peer, name, "announced no certificate")
    with ExitStack() as opened:
        sock = opened.enter_context(_connect(peer, name, config, deadline))
        sock.sendall(hello)
        if tls:
            secure = identity.client_context(peer.certificate).wrap_socket(sock, do_handshake_on_connect=False)
            sock = opened.enter_context(secure)
            secure.do_handshake()
            if not is_pinned(secure, peer.certificate):
                raise _refused(peer, name, "showed another certificate than the one pinned")
            secure.sendall(hello)
        answer = read_exact(sock, len(ACCEPTED), deadline)
        if answer is None:
            raise ConnectionResetError("hung up without an answer")
        if answer != ACCEPTED:
            raise _refused(peer, name, _UNEXPECTED)
        channel = (
            agree(sock, hello, dialled=True, deadline=deadline) if isinstance(sock, ssl.SSLSocket) else Channel(sock)
        )
        opened.pop_all()
        return channel


def _connect(peer: Endpoint, name: str, config: TransportConfig, deadline: float) -> socket.socket:
    try:
        sock = socket.create_connection((peer.host, peer.port), timeout=max(0.001, deadline - monotonic()))
    except TimeoutError:
        raise
    except (OSError, UnicodeError) as error:  # the latter: no name of a machine
        raise PeerLost(
            f"{peer.name} cannot be reached at {peer.host}:{peer.port}: {error} (link {name!r})",
            party=peer.name,
            step="connect",
        ) from error
    tune(sock, config)
    return sock


def _refused(peer: Endpoint, name: str, reason: str) -> PeerRefused:
    return PeerRefused(f"{peer.name} {reason} (link {name!r})", party=peer.name, step="connect")


def _explain(error: OSError, peer: Endpoint, name: str, config: TransportConfig) -> FaultError:
    if isinstance(error, TimeoutError):
        return PeerSilent(
            f"{peer.name} at {peer.host}:{peer.port} did not accept link {name!r} within {config.connect_timeout:g} s",
            party=peer.name,
            step="connect",
        )
    if isinstance(error, ssl.SSLError) and error.reason == _DENIED:
        return _refused(peer, name, _UNEXPECTED)
    if isinstance(error, ssl.SSLError):
        return _refused(peer, name, f"and we did not authenticate each other: {error.reason or type(error).__name__}")
    return _refused(peer, name, f"broke the connection off before it accepted it: {type(error).__name__}")
