"""A worker's links to the other members of its lane, and the secrets that it agrees on with each."""

from __future__ import annotations

import threading

import msgspec

from icm_ray.config import EngineConfig
from icm_ray.errors import SessionError
from icm_ray.names import DRIVER
from icm_ray.ops.seams import Link
from icm_ray.payload import Name, Port, decode
from icm_ray.transport import (
    DelayedLink,
    Endpoint,
    Identity,
    Listener,
    TcpLink,
    TransportConfig,
    derive_pair_secret,
    open_link,
)

__all__ = ["LanePlan", "Member", "Mesh", "decode_member", "decode_plan"]

Member = tuple[Name, Name, Port, bytes]
"""Where a member listens: (name, host, port, certificate). Public."""


class LanePlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is in a lane and where each listens: (name, host, port, certificate). All public."""

    session: str
    lane: int
    parties: tuple[str, ...]
    owners: tuple[str, ...]
    members: tuple[Member, ...]
    driver: Member

    def endpoint(self, name: str) -> Endpoint:
        """Where a member listens."""
        for member in (*self.members, self.driver):
            if member[0] == name:
                return Endpoint(*member)
        raise SessionError(f"{name} is not in lane {self.lane}")

    def link_name(self, a: str, b: str, generation: int) -> str:
        """The name of the link between two members. Links that were cut are replaced by those of a new generation."""
        return f"{self.session}/{self.lane}/{generation}/{min(a, b)}-{max(a, b)}"

    def driver_link(self, which: str, name: str) -> str:
        """The name of a member's data or control link with the driver."""
        return f"{self.session}/{self.lane}/driver-{which}-{name}"

    def peers(self, name: str) -> list[str]:
        """Whom a member is linked with: everyone; outside owners see parties and the dealer alone."""
        outside = set(self.owners) if name in self.owners else set()
        return sorted(member[0] for member in self.members if member[0] != name and member[0] not in outside)


_PLANS = msgspec.msgpack.Decoder(LanePlan)
_MEMBERS: msgspec.msgpack.Decoder[Member] = msgspec.msgpack.Decoder(Member)


def decode_plan(payload: bytes) -> LanePlan:
    """The plan that the driver sent; raises `Desynchronised` for anything else."""
    return decode(payload, _PLANS, "the plan of a lane", DRIVER)


def decode_member(payload: bytes, name: str) -> Member:
    """Where the worker `name` says that it listens; raises `Desynchronised` for anything else."""
    return decode(payload, _MEMBERS, "where it listens", name)


class Mesh:
    """The links of one worker. `links` and `secrets` keep their identity: those who hold them see the new ones."""

    def __init__(
        self, identity: Identity, listener: Listener, transport: TransportConfig, config: EngineConfig
    ) -> None:
        self.links: dict[str, TcpLink] = {}
        self.secrets: dict[str, bytes] = {}
        self._identity, self._listener, self._transport, self._config = identity, listener, transport, config
        self._delayed: list[DelayedLink] = []
        self._changing = threading.Lock()

    def open(self, plan: LanePlan, generation: int) -> None:
        """Open every link; of two members the one whose name comes first dials. Raises `FaultError` naming the peer."""
        me = self._identity.name
        peers = plan.peers(me)
        names = {peer: plan.link_name(me, peer, generation) for peer in peers}
        for peer in peers:
            if peer < me:
                self._listener.expect(names[peer], plan.endpoint(peer))
        with self._changing:
            self.links.clear()
            self.secrets.clear()
        for peer in peers:
            link = self.dial(plan.endpoint(peer), names[peer], me < peer)
            with self._changing:
                self.links[peer] = link
        for peer in peers:
            self.secrets[peer] = derive_pair_secret(self.links[peer], me < peer)

    def dial(self, peer: Endpoint, name: str, initiator: bool, transport: TransportConfig | None = None) -> TcpLink:
        """Open one link, or wait for the peer to open it."""
        config = transport or self._transport
        return open_link(self._identity, self._listener, peer, name, initiator, config, self._config.tls)

    def seams(self) -> dict[str, Link]:
        """The links as protocols use them: behind a slow network where the settings ask for one."""
        rtt, mbit = self._config.rtt_ms, self._config.mbit
        if not rtt and not mbit:
            return dict(self.links)
        self._delayed = [DelayedLink(link, rtt, mbit or None) for link in self.links.values()]
        return {link.peer: link for link in self._delayed}

    def cut(self) -> None:
        """End every link at once, whoever waits in it. For any thread."""
        with self._changing:
            links = list(self.links.values())
        for link in links:
            link.abort()

    def close(self) -> None:
        """End every link after what is queued was sent."""
        for delayed in self._delayed:
            delayed.close()
        with self._changing:
            links = list(self.links.values())
        for link in links:
            link.close()
