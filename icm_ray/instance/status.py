"""How an instance is, as it tells its own users: peers, workers in lanes, datasets, limits. Nothing of any rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import msgspec

from icm_ray.instance.audit import AuditLog
from icm_ray.instance.catalogue import Catalogue
from icm_ray.instance.halves import Halves
from icm_ray.instance.models import ModelShelf
from icm_ray.instance.requests import Requests
from icm_ray.instance.results import Results
from icm_ray.instance.roster import Kind, Roster, State
from icm_ray.instance.settings import Limits, Settings
from icm_ray.payload import Name

__all__ = ["DatasetStatus", "LaneStatus", "PeerStatus", "QuotaStatus", "Status", "Taken", "status_of"]


class QuotaStatus(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of a model and whose images: how many it has predicted on. quota: of how many at most."""

    model: Name
    used: int
    quota: int


class Taken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a peer takes of an instance that serves. calls: in the last second. working: that are not answered yet.
    questions: in the last hour, that no person decided on. refusals: today, by rows. log_entries: today, of its asking.
    """

    calls: int = 0
    working: int = 0
    questions: int = 0
    refusals: int = 0
    log_entries: int = 0


class PeerStatus(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """linked: whether a conversation is open. workers: that run for it now. hours: of those, today. taken: besides.
    waiting: requests that nobody has decided on. quotas: of its images. results: of its questions that are kept here,
    result_rows: of their tables, last_result: when the last one came, seconds since 1970, 0 for none.
    """

    name: Name
    kind: Kind
    state: State
    linked: bool
    workers: int
    hours: float = 0.0
    taken: Taken = Taken()
    waiting: int = 0
    quotas: tuple[QuotaStatus, ...] = ()
    results: int = 0
    result_rows: int = 0
    last_result: float = 0.0


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
    taken: Callable[[str], Taken] = lambda _: Taken(),
) -> Status:
    """How the instance with these files is. From since on: of one that serves. Errors: `InstanceError`."""
    running = halves.running() if halves is not None else []
    lanes = tuple(LaneStatus(half.asker, session, lane, half.joined) for (session, lane), half in running)
    requests = Requests(catalogue.folder)
    waiting = Counter(one.asker for one in requests.all if one.state == "waiting" and not requests.sleeps(one))
    quotas, results = _quotas(ModelShelf(catalogue.folder)), Results(catalogue.folder).all
    kept = {peer: [one for one in results if one.asker == peer] for peer in roster.peers}
    peers = tuple(
        PeerStatus(
            peer.name,
            peer.kind,
            peer.state,
            linked(peer.name),
            sum(lane.asker == peer.name for lane in lanes),
            halves.hours(peer.name) if halves is not None else 0.0,
            taken(peer.name),
            waiting[peer.name],
            tuple(quotas.get(peer.name, ())),
            len(kept[peer.name]),
            sum(one.rows for one in kept[peer.name]),
            max((one.since for one in kept[peer.name]), default=0.0),
        )
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


def _quotas(shelf: ModelShelf) -> dict[str, list[QuotaStatus]]:
    """By whose images."""
    found: dict[str, list[QuotaStatus]] = {}
    for name, held in shelf.models.items():
        used = shelf.used(name) if held.quotas else {}
        for owner, quota in held.quotas.items():
            found.setdefault(owner, []).append(QuotaStatus(name, used.get(owner, 0), quota))
    return found
