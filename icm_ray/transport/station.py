"""Where a member of lanes opens its links with others, whatever carries them: sockets, or memory."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Protocol

from icm_ray.errors import FaultError
from icm_ray.ops.seams import Link
from icm_ray.transport.config import TransportConfig
from icm_ray.transport.identity import Identity
from icm_ray.transport.listener import Door, Listener
from icm_ray.transport.pending_links import Endpoint
from icm_ray.transport.tcp import open_link

_ALL: Final = ("0.0.0.0", "::")  # noqa: S104 - whoever is bound there is reached by what is advertised

__all__ = ["Station", "TcpStation", "WatchedLink"]


class WatchedLink(Link, Protocol):
    """A link that can be cut, and that a thread of its own can read."""

    def abort(self) -> None:
        """Close without sending what is queued: to the peer this looks like a dead process. Idempotent."""

    def start_listening(
        self,
        on_message: Callable[[bytes], None],
        on_heard: Callable[[], None] | None = None,
        on_lost: Callable[[FaultError], None] | None = None,
    ) -> None:
        """Read control messages in a background thread from now on; `receive*` is then refused."""


class Station(Protocol):
    """One member's place: others reach it at `endpoint`. Each name is good for one link, ever."""

    @property
    def endpoint(self) -> Endpoint:
        """Where it is reached. Public."""

    @property
    def inside(self) -> Endpoint:
        """Where others of the same organisation reach it."""

    def only(self, session: str) -> None:
        """From now on let nobody in for a link whose name does not begin with the session's."""

    def expect(self, name: str, peer: Endpoint) -> None:
        """Let `peer` open the link `name` before anybody here waits for it. Raises AddressReused."""

    def open(self, peer: Endpoint, name: str, initiator: bool, config: TransportConfig | None = None) -> WatchedLink:
        """Open the link `name` to `peer`, or wait for the peer to open it; both sides pass the same name, once.

        config: in place of the station's own. Raises PeerRefused, PeerSilent, PeerLost or AddressReused.
        """

    def close(self) -> None:
        """Let nobody in any more. Idempotent."""


class TcpStation:
    """Links over sockets. host: where it listens; None for one that only dials. ports: the first and the last of those
    that it may listen at; (0, 0): any. advertise: the host under which others reach it; "": the one where it listens.
    reachable: False where others cannot, but those of its own organisation. door: who may open links that nobody
    expects.

    With `tls=False` nothing is authenticated or encrypted. Raises OSError where it cannot listen.
    """

    def __init__(
        self,
        identity: Identity,
        host: str | None,
        tls: bool,
        config: TransportConfig,
        *,
        ports: tuple[int, int] = (0, 0),
        advertise: str = "",
        reachable: bool = True,
        door: Door | None = None,
    ) -> None:
        self._identity, self._tls, self._config, self._advertise = identity, tls, config, advertise
        self._reachable = reachable
        self._listener = None if host is None else _listening(identity, host, ports, tls, config, door)

    @property
    def endpoint(self) -> Endpoint:
        if self._listener is not None and self._reachable:
            found = self._listener.endpoint
            return replace(found, host=self._advertise) if self._advertise else found
        return Endpoint(self._identity.name, "", 0, self._identity.certificate)

    @property
    def inside(self) -> Endpoint:
        if self._listener is None or self._listener.endpoint.host in _ALL:
            return self.endpoint
        return self._listener.endpoint

    def only(self, session: str) -> None:
        if self._listener is not None:
            self._listener.only(session)

    def expect(self, name: str, peer: Endpoint) -> None:
        if self._listener is not None:
            self._listener.expect(name, peer)

    def open(self, peer: Endpoint, name: str, initiator: bool, config: TransportConfig | None = None) -> WatchedLink:
        used = config or self._config
        return open_link(self._identity, self._listener, peer, name, initiator, used, self._tls)

    def close(self) -> None:
        if self._listener is not None:
            self._listener.close()


def _listening(
    identity: Identity, host: str, ports: tuple[int, int], tls: bool, config: TransportConfig, door: Door | None
) -> Listener:
    """A listener at the first of the ports that is free."""
    first, last = ports
    for port in range(first, last):
        try:
            return Listener(identity, host, port, tls, config, door)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
    return Listener(identity, host, last, tls, config, door)
