"""Who is in a lane, and where each member listens."""

from __future__ import annotations

import errno

import msgspec

from icm_ray.errors import PlacementError, SessionError
from icm_ray.names import DRIVER
from icm_ray.payload import Name, Port, decode
from icm_ray.transport import Endpoint

__all__ = ["LanePlan", "Member", "Place", "decode_member", "decode_plan", "member_of"]

Member = tuple[Name, Name, Port, bytes]
"""Where a member listens: (name, host, port, certificate). Public."""


def member_of(endpoint: Endpoint) -> Member:
    """Where somebody listens, as it is told."""
    return endpoint.name, endpoint.host, endpoint.port, endpoint.certificate


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a worker listens. host: that it binds. listens: False where others cannot reach it: it dials. ports: the
    first and the last that it may take; (0, 0): any. advertise: the host under which others reach it; "": the same.
    """

    host: str
    listens: bool = True
    ports: tuple[Port, Port] = (0, 0)
    advertise: str = ""

    def refused(self, name: str, error: OSError) -> PlacementError:
        """Why whoever is called `name` cannot listen there."""
        first, last = self.ports
        if error.errno == errno.EADDRINUSE and last:
            ports = f"port {first} is" if first == last else f"all ports from {first} to {last} are"
            return PlacementError(f"{name} cannot listen: {ports} taken (worker_ports)", party=name)
        return PlacementError(f"{name} cannot listen at {self.host}: {error.strerror or error}", party=name)


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

    def lanes_link(self, lane: int, home: int, generation: int, name: str) -> str:
        """The name of the link between a party's workers in two lanes. One that was cut is replaced by a later one."""
        return f"{self.session}/{lane}-{home}/{generation}/{name}"

    def driver_link(self, which: str, name: str) -> str:
        """The name of a member's data or control link with the driver."""
        return f"{self.session}/{self.lane}/driver-{which}-{name}"

    def dials(self, name: str, other: str) -> bool:
        """Whether of two members the first one dials: whoever cannot be reached does; else the driver, or the one whose
        name comes first. Raises `SessionError` where neither can be reached.
        """
        here, there = self.endpoint(name), self.endpoint(other)
        if DRIVER in (name, other) and here.port and there.port:
            return name == DRIVER
        if not here.port and not there.port:
            raise SessionError(f"neither {name} nor {other} can be reached: one of them has to let itself be dialled")
        return name < other if here.port and there.port else not here.port

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
