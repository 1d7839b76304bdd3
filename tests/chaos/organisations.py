"""Three organisations on this machine, an instance of each as a process, that are stopped, killed and started again."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from time import monotonic, sleep
from typing import Self

import pandas as pd

import icm_ray as icm
from analytics.organisations import Connection
from cluster.local_instances import await_serving, free_port, meet
from icm_ray.config import EngineConfig
from icm_ray.instance.catalogue import Catalogue
from icm_ray.instance.found import found
from icm_ray.instance.offer import offer
from icm_ray.instance.requests import Request, Requests
from icm_ray.instance.settings import Limits, Settings
from tests.chaos.nursery import Forked, Nursery
from tests.chaos.victims import alive, gone
from tests.instance.conftest import rows

SILENCE = 3.0
"""Seconds after which whoever says nothing counts as gone, in instances, their workers and the driver."""
LOADED = 20.0
"""Seconds within which a worker of an instance that is gone has ended: one that has just begun to load what it needs
ends after that.
"""
ENDING = 20.0
QUICK = EngineConfig(heartbeat=0.5, silence=SILENCE, lease=6.0, start_timeout=15.0)
NAMES = ("alice", "bob", "carol")
ROWS = rows(7, 20_000)


class Organisations:
    """Alice asks, bob owns "visits" (answered at once) and "studies" (requested), carol deals. Bob only dials."""

    def __init__(self, root: Path, nursery: Nursery) -> None:
        self._root, self._nursery, self.homes = root, nursery, {}
        self._serving: dict[str, Forked] = {}
        self._session: Connection | None = None
        for name in NAMES:
            self._found(name)
        self.start(*NAMES)
        for inviter, guest in (("alice", "bob"), ("carol", "alice"), ("carol", "bob")):
            meet(self.homes[inviter], self.homes[guest])
        self._offer("bob", ROWS)

    def _found(self, name: str) -> None:
        self.homes[name] = self._root / name
        kind = "dealer" if name == "carol" else "organisation"
        limits = Limits(silence=SILENCE, workers=64)
        listen = f"127.0.0.1:{free_port()}"
        # No worker stands by: those that are there are those of lanes.
        settings = Settings(name, kind, listen, dial_only=name == "bob", spare_workers=0, limits=limits)
        found(self.homes[name], settings)

    def _offer(self, name: str, table: pd.DataFrame) -> None:
        path = self._root / f"{name}.parquet"
        table.to_parquet(path)
        catalogue, policy = Catalogue(self.homes[name]), icm.Policy(min_rows=5, row_sets=1024)
        offer(catalogue, "visits", [str(path)], policy, ("alice",))
        offer(catalogue, "studies", [str(path)], policy, (), ("alice",))

    def join(self, name: str, table: pd.DataFrame) -> None:
        """One more owner, whom all know."""
        self._found(name)
        self.start(name)
        for other in NAMES:
            meet(self.homes[name], self.homes[other])
        self._offer(name, table)
        self.disconnect()  # who is there is known from the beginning

    def start(self, *names: str) -> None:
        """Those that do not serve."""
        names = tuple(name for name in names if name not in self._serving)
        self._serving |= {name: self._nursery.instance(self.homes[name]) for name in names}
        for name in names:
            await_serving(self.homes[name], self._serving[name])

    def stop(self, name: str, how: int = signal.SIGTERM) -> None:
        """End an instance, as its service does or at once: it is gone when this returns, and so are its workers."""
        workers = self.workers(name)
        self.send(name, how)
        self._serving.pop(name).wait(ENDING)
        assert gone(workers, LOADED) == []

    def send(self, name: str, how: int) -> None:
        """A signal to an instance."""
        self._serving[name].send_signal(how)

    @property
    def serving(self) -> tuple[str, ...]:
        """The instances that were started and not ended since."""
        return tuple(self._serving)

    @property
    def door(self) -> str:
        """Where processes are asked for."""
        return self._nursery.door

    def litter(self) -> list[Path]:
        """What was left half written in their folders."""
        return [path for home in self.homes.values() for path in home.rglob(".*") if not path.name.endswith(".lock")]

    def workers(self, name: str) -> list[int]:
        """The processes of an instance's workers."""
        return alive(self._nursery.workers(self._serving[name])) if name in self._serving else []

    def all_workers(self) -> list[int]:
        """Those of all instances."""
        return [pid for name in self._serving for pid in self.workers(name)]

    def request(self, job: str, owner: str = "bob") -> Request | None:
        """What an owner has of alice's job."""
        return next((one for one in Requests(self.homes[owner]).all if one.job == job), None)

    def approve(self, job: str, owner: str = "bob", times: int = 100) -> None:
        """Let an owner approve alice's job."""
        Requests(self.homes[owner]).approve(self.request(job, owner).number, times, 4e9)

    @property
    def session(self) -> Connection:
        """Alice's: the same as long as her instance serves."""
        if self._session is not None and self._session._own.link.gone:
            self.disconnect()
        if self._session is None:
            self._session = icm.connect(self.homes["alice"], config=QUICK)
        return self._session

    def disconnect(self) -> None:
        """End alice's connection and its lanes."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.disconnect()
        for name in self.serving:
            self.stop(name)


def strike(pids: list[int], how: int) -> None:
    """A signal to processes; after SIGKILL or SIGTERM they are gone when this returns."""
    for pid in pids:
        try:
            os.kill(pid, how)
        except ProcessLookupError:
            continue
    if how in (signal.SIGKILL, signal.SIGTERM):
        assert gone(pids, 5.0) == []


def awaited(there, seconds: float = 20.0) -> None:
    """Until that is there."""
    deadline = monotonic() + seconds
    while not there():
        assert monotonic() < deadline, f"not within {seconds:g} s"
        sleep(0.05)
