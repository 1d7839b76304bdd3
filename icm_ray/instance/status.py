"""How an instance is, as it tells its own users: peers, workers in lanes, datasets, limits. Nothing of any rows."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from icm_ray.instance.audit import AuditLog
from icm_ray.instance.catalogue import Catalogue
from icm_ray.instance.halves import Halves
from icm_ray.instance.roster import Kind, Roster, State
from icm_ray.instance.settings import Limits, Settings
from icm_ray.payload import Name

__all__ = ["DatasetStatus", "LaneStatus", "PeerStatus", "Status", "status_of"]


class PeerStatus(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """linked: whether a conversation is open. workers: that run for it now."""

    name: Name
    kind: Kind
    state: State
    linked: bool
    workers: int


class LaneStatus(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A worker of this instance. asker: whose driver it works for. joined: whether it takes part in the lane."""

    asker: Name
    session: str
    lane: int
    joined: bool


class DatasetStatus(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """standing: peers who are answered at once."""

    name: Name
    rows: int
    standing: tuple[Name, ...]


class Status(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """release: of the icm-ray. since: when it began to serve, seconds since 1970; 0: it does not serve. listen: where.
    entries: of the audit log.
    """

    name: Name
    kind: Kind
    release: Name
    since: float
    listen: str
    peers: tuple[PeerStatus, ...]
    lanes: tuple[LaneStatus, ...]
    datasets: tuple[DatasetStatus, ...]
    entries: int
    limits: Limits


def status_of(
    settings: Settings,
    roster: Roster,
    catalogue: Catalogue,
    audit: AuditLog,
    release: str,
    since: float = 0.0,
    halves: Halves | None = None,
    linked: Callable[[str], bool] = lambda _: False,
) -> Status:
    """How the instance with these files is. since, halves, linked: of one that serves. Errors: `InstanceError`."""
    running = halves.running() if halves is not None else []
    lanes = tuple(LaneStatus(half.asker, session, lane, half.joined) for (session, lane), half in running)
    peers = tuple(
        PeerStatus(peer.name, peer.kind, peer.state, linked(peer.name), sum(lane.asker == peer.name for lane in lanes))
        for peer in roster.peers.values()
    )
    datasets = tuple(
        DatasetStatus(held.public.name, held.public.rows, held.standing) for held in catalogue.datasets.values()
    )
    return Status(
        settings.name,
        settings.kind,
        release,
        since,
        settings.listen,
        peers,
        lanes,
        datasets,
        audit.head().entries,
        settings.limits,
    )
