"""The workers that an instance starts: its halves of lanes, each for one asker."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic, sleep
from typing import Final

from icm_ray.config import EngineConfig
from icm_ray.errors import InstanceError, PeerSilent
from icm_ray.instance.settings import LOOPBACK, Settings
from icm_ray.instance.usage import WorkerHours
from icm_ray.names import DEALER
from icm_ray.runtime.carriers.house_workers import HouseWorkers, ProcessWorkers
from icm_ray.runtime.driver.handle import Handle, Pending
from icm_ray.runtime.orders.house import HouseFacts
from icm_ray.runtime.orders.lane_plan import LanePlan, Member, Place

__all__ = ["Half", "Halves"]

_POLL: Final = 0.005
_END: Final = 5.0
_LEAVING: Final = 2.0


class Half:
    """One worker. asker: the organisation whose driver it works for. member: where it listens, as others are told;
    inside: where workers of this organisation reach it. organisations: whose workers are in its lane, once it was told
    to join one; joined: once all its links are there. since: when it began, by the clock of its hours.
    """

    def __init__(self, asker: str, handle: Handle, member: Member, since: float) -> None:
        self.asker, self.handle, self.member, self.since = asker, handle, member, since
        self.joining, self.joined, self.inside = False, False, member
        self.organisations: frozenset[str] = frozenset({asker})


class Halves:
    """Of one instance. config: of the workers, whoever asks. house: where they reach the instance."""

    def __init__(self, settings: Settings, config: EngineConfig, house: Callable[[], Member]) -> None:
        self._settings, self._house = settings, house
        self._patience = config.start_timeout
        self._workers = _workers(self.name, settings, config)
        self._halves: dict[tuple[str, int], Half] = {}
        self._askers: dict[tuple[str, int], str] = {}  # of those that are being started, too
        self._hours = WorkerHours()
        self._unwanted: set[tuple[str, int]] = set()  # of these, those that are to end as soon as they have started
        self._lock = threading.Lock()

    @property
    def here(self) -> str:
        """The address of this machine for its workers, where the instance binds all; "": loopback."""
        return self._workers.here

    @property
    def name(self) -> str:
        """Of this organisation's member in lanes."""
        return DEALER if self._settings.kind == "dealer" else self._settings.name

    def start(self, asker: str, session: str, lane: int, note: Callable[[], None] = lambda: None) -> Member:
        """Start the worker of a lane. note: called once no limit stands in the way, before anything else is done.
        Errors: `InstanceError` (there is one, too many of this asker), `FaultError`, those of `note`.
        """
        key = session, lane
        with self._lock:
            self._sweep()
            if key in self._askers:
                raise InstanceError(f"{self._settings.name} has a worker in this lane already")
            most = self._settings.limits.workers
            if sum(one == asker for one in self._askers.values()) >= most:
                raise InstanceError(f"{self._settings.name} runs {most} workers for {asker}, which is its limit")
            if spent := self._overdrawn(asker) or self._crowded(asker):
                raise InstanceError(f"{self._settings.name} starts no worker: {spent}")
            self._askers[key] = asker
        place = Place(
            self._settings.workers_bind,
            not self._settings.dial_only,
            self._settings.worker_ports,
            self._settings.workers_host,
        )
        handle: Handle | None = None
        since = self._hours.now()
        memory = 0 if asker == self._settings.name else self._settings.limits.worker_bytes
        shares = asker != self._settings.name and self._settings.carrier == "processes"
        cores = self._settings.peer_cores if shares else 0
        try:
            note()
            handle = self._workers.start(self.name, place, HouseFacts(self._house(), asker, memory, cores))
            member: Member = _waited(handle.endpoint(), handle, self._patience)
            with self._lock:
                if key in self._unwanted:
                    raise InstanceError(f"{self._settings.name}'s worker was ended while it started")
                self._halves[key] = Half(asker, handle, member, since)
        except BaseException:
            if handle is not None:
                handle.kill()
                handle.ended(_END)
            with self._lock:
                del self._askers[key]
                self._unwanted.discard(key)
            raise
        return member

    def join(self, asker: str, plan: LanePlan, organisations: frozenset[str]) -> None:
        """Let the worker of a lane of these organisations join. Errors: `InstanceError`, what joining raises."""
        half = self.of(asker, plan.session, plan.lane)
        with self._lock:
            if half.joining:
                raise InstanceError(f"{self._settings.name}'s worker has joined this lane already")
            half.joining, half.organisations = True, organisations | {asker}
        _waited(half.handle.join(plan), half.handle, self._patience)
        half.joined = True

    def of(self, asker: str, session: str, lane: int) -> Half:
        """The worker of a lane that this asker had started. Errors: `InstanceError`."""
        with self._lock:
            half = self._halves.get((session, lane))
        if half is None or half.asker != asker:
            raise InstanceError(f"{self._settings.name} has no such worker for {asker}")
        return half

    def found(self, session: str, lane: int) -> Half | None:
        """The worker of a lane, whoever had it started."""
        with self._lock:
            return self._halves.get((session, lane))

    def lost(self, asker: str, session: str, lane: int) -> str:
        """Why a worker is gone; "" while it lives."""
        with self._lock:
            half, starting = self._halves.get((session, lane)), self._askers.get((session, lane)) == asker
            spent = self._overdrawn(asker)
        if half is None:
            return "" if starting else f"it was ended{spent and f': {spent}'}"
        return half.handle.lost() if half.asker == asker else "it was ended"

    def end(self, asker: str, session: str, lane: int, patience: float = _LEAVING) -> None:
        """End a worker of this asker's, which may have been told to end and has so many seconds for it; nothing where
        there is none.
        """
        with self._lock:
            half = self._halves.get((session, lane))
            if half is None and self._askers.get((session, lane)) == asker:
                self._unwanted.add((session, lane))
        if half is None or half.asker != asker:
            return
        if not half.handle.ended(patience):
            half.handle.kill()
            half.handle.ended(_END)
        with self._lock:
            self._sweep()

    def forsake(self, asker: str) -> None:
        """Let workers of an asker end that are in no lane yet: it is gone, and hears no more whether they have joined.
        Those that have end by themselves where the driver is gone, too.
        """
        with self._lock:
            self._unwanted |= {key for key, one in self._askers.items() if one == asker and key not in self._halves}
            waiting = [half for half in self._halves.values() if half.asker == asker and not half.joined]
        for half in waiting:
            half.handle.kill()

    def end_with(self, organisation: str) -> None:
        """End all workers that work for an organisation, or in a lane with it."""
        for (session, lane), half in self.running():
            if organisation in half.organisations:
                self.end(half.asker, session, lane, 0.0)

    def end_overdrawn(self) -> None:
        """End the workers of peers that have had their hours of today."""
        with self._lock:
            askers = {half.asker for half in self._halves.values()}
            over = {asker for asker in askers if self._overdrawn(asker)}
        for (session, lane), half in self.running() if over else ():
            if half.asker in over:
                self.end(half.asker, session, lane, 0.0)

    def hours(self, asker: str) -> float:
        """Of its workers, today."""
        with self._lock:
            return self._spent(asker)

    def _spent(self, asker: str) -> float:
        return self._hours.of(asker, [half.since for half in self._halves.values() if half.asker == asker])

    def _overdrawn(self, asker: str) -> str:
        """Why no worker runs for a peer today any more; "" where some may. The lock is held."""
        most = self._settings.limits.worker_hours
        if asker == self._settings.name or self._spent(asker) < most:
            return ""
        return f"those for {asker} have worked for {most:g} hours today, which is its limit"

    def _crowded(self, asker: str) -> str:
        """Why no worker is started for a peer on a Ray cluster now; "" where one may be. The lock is held."""
        settings, most = self._settings, self._settings.peer_cores
        if asker == settings.name or settings.carrier == "processes" or not most:
            return ""
        others = [one for one in self._askers.values() if one != settings.name]
        wanted = 2 if asker in others else 1  # who has a worker leaves room for one of a peer that has none
        if settings.worker_cpus * (len(others) + wanted) <= most:
            return ""
        return "those for peers have as many CPUs as they may (peer_cores): ask later, in fewer lanes"

    def running(self) -> list[tuple[tuple[str, int], Half]]:
        """The workers that live, by session and lane."""
        with self._lock:
            self._sweep()
            return list(self._halves.items())

    def _sweep(self) -> None:
        """Forget workers that have ended. The lock is held."""
        for key, half in list(self._halves.items()):
            if half.handle.lost():
                half.handle.ended(0)
                self._hours.add(half.asker, half.since)
                del self._halves[key]
                self._askers.pop(key, None)

    def close(self) -> None:
        """End all of them."""
        with self._lock:
            halves = list(self._halves.values())
        for half in halves:
            half.handle.kill()
        for half in halves:
            half.handle.ended(_END)
        self._workers.close()


def _workers(name: str, settings: Settings, config: EngineConfig) -> HouseWorkers:
    if settings.carrier == "processes":
        return ProcessWorkers(name, config, settings.spare_workers)
    from icm_ray.runtime.carriers.house_actors import ActorWorkers  # Ray, for those who have a cluster alone

    workers = ActorWorkers(config, settings.ray_address, settings.worker_cpus, settings.worker_labels)
    if workers.nodes > 1 and settings.bind[0] in LOOPBACK:
        workers.close()
        raise InstanceError(
            f"listen = {settings.listen!r}: workers on other nodes of the cluster cannot reach the instance there"
        )
    return workers


def _waited(pending: Pending, handle: Handle, limit: float) -> Member:
    """What a worker answers, within so many seconds."""
    deadline = monotonic() + limit
    while not pending.done():
        if monotonic() > deadline:
            raise PeerSilent(f"{handle.name} did not start within {limit:g} s", party=handle.name, step="start")
        sleep(_POLL)
    found: Member = pending.result()
    return found
