"""The driver's links to a worker, opened in a thread: whoever waits for them looks at the workers meanwhile."""

from __future__ import annotations

import threading

from icm_ray.names import DRIVER
from icm_ray.runtime.orders.lane_plan import LanePlan
from icm_ray.transport import Station, WatchedLink

__all__ = ["Dialling"]


class Dialling:
    """A `Pending` of two links to the worker of a member, for data and for orders. The station gives each its time."""

    def __init__(self, station: Station, plan: LanePlan, name: str) -> None:
        self._station, self._plan, self._name = station, plan, name
        self._links: list[WatchedLink] = []
        self._error: BaseException | None = None
        self._lock, self._dropped, self._over = threading.Lock(), False, threading.Event()
        threading.Thread(target=self._run, name="icm-dial", daemon=True).start()

    def done(self) -> bool:
        """Whether `result` would return or raise at once."""
        return self._over.is_set()

    def result(self) -> list[WatchedLink]:
        """The links; raises what opening one of them did."""
        if self._error is not None:
            raise self._error
        return self._links

    def drop(self) -> None:
        """Nobody wants the links any more, nor one that is opened later. Idempotent."""
        with self._lock:
            self._dropped, links = True, list(self._links)
        for link in links:
            link.abort()

    def _run(self) -> None:
        peer, dials = self._plan.endpoint(self._name), self._plan.dials(DRIVER, self._name)
        try:
            for which in ("data", "control"):
                link = self._station.open(peer, self._plan.driver_link(which, self._name), dials)
                with self._lock:
                    wanted = not self._dropped
                    self._links += [link] if wanted else []
                if not wanted:
                    link.abort()
                    return
        except BaseException as error:  # noqa: BLE001 - whoever waits is told, whatever it was
            self._error = error
        finally:
            self._over.set()
