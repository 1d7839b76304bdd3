"""How an instance starts its workers: as processes of its machine, or as actors of its organisation's Ray cluster."""

from __future__ import annotations

import threading
from typing import Final, Protocol

from icm_ray.config import EngineConfig
from icm_ray.runtime.carriers.processes import ProcessHandle
from icm_ray.runtime.driver.handle import Handle
from icm_ray.runtime.orders.house import HouseFacts
from icm_ray.runtime.orders.lane_plan import Place

__all__ = ["HouseWorkers", "ProcessWorkers"]

_QUIET: Final = 2.0
"""Seconds without a start before a spare one is started: its loading would hold up lanes that are being assembled."""
_END: Final = 5.0


class HouseWorkers(Protocol):
    """Starts workers of one instance. here: the address of this machine under which they reach it; "": loopback."""

    here: str

    def start(self, name: str, place: Place, house: HouseFacts) -> Handle:
        """A worker of that name, which is on its way."""

    def close(self) -> None:
        """Give up what they ran on, once they have ended. Idempotent."""


class ProcessWorkers:
    """Processes of this machine, all of the member `name`. config: of each. spares: so many stand by, started while
    nothing else is: they have loaded what a worker needs, and nothing of any asker's. Each is used once.
    """

    here = ""

    def __init__(self, name: str, config: EngineConfig, spares: int) -> None:
        self._name, self._config, self._most = name, config, spares
        self._spares: list[ProcessHandle] = []
        self._lock = threading.Lock()
        self._closed = False
        self._timer = self._refill()

    def start(self, name: str, place: Place, house: HouseFacts) -> ProcessHandle:
        found = self._spare() if name == self._name else None
        handle = found or ProcessHandle(name, None)
        handle.begin(self._config, place, house)
        return handle

    def _spare(self) -> ProcessHandle | None:
        with self._lock:
            self._timer.cancel()
            self._timer = self._refill()
            living = [one for one in self._spares if not one.lost()]
            self._spares = living[1:]
            return living[0] if living else None

    def _refill(self) -> threading.Timer:
        """Soon, unless more workers are started until then: they come first."""
        timer = threading.Timer(_QUIET, self._fill)
        timer.daemon = True
        if self._most and not self._closed:
            timer.start()
        return timer

    def _fill(self) -> None:
        with self._lock:
            while len(self._spares) < self._most and not self._closed:
                self._spares.append(ProcessHandle(self._name, None))

    def close(self) -> None:
        """End those that stand by; nothing is left of others, which have ended. Idempotent."""
        with self._lock:
            self._closed = True
            self._timer.cancel()
            spares, self._spares = self._spares, []
        for one in spares:
            one.kill()
        for one in spares:
            one.ended(_END)
