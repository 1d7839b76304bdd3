"""How an instance starts its workers: as processes of its machine, or as actors of its organisation's Ray cluster."""

from __future__ import annotations

from typing import Protocol

from icm_ray.config import EngineConfig
from icm_ray.runtime.carriers.processes import ProcessHandle
from icm_ray.runtime.driver.handle import Handle
from icm_ray.runtime.orders.house import HouseFacts
from icm_ray.runtime.orders.lane_plan import Place

__all__ = ["HouseWorkers", "ProcessWorkers"]


class HouseWorkers(Protocol):
    """Starts workers of one instance. here: the address of this machine under which they reach it; "": loopback."""

    here: str

    def start(self, name: str, place: Place, house: HouseFacts) -> Handle:
        """A worker of that name, which is on its way."""

    def close(self) -> None:
        """Give up what they ran on, once they have ended. Idempotent."""


class ProcessWorkers:
    """Processes of this machine. config: of each."""

    here = ""

    def __init__(self, config: EngineConfig) -> None:
        self._config = config

    def start(self, name: str, place: Place, house: HouseFacts) -> ProcessHandle:
        return ProcessHandle(name, self._config, place=place, house=house)

    def close(self) -> None:
        """Nothing is left of processes that have ended."""
