"""Workers of an instance as actors of its organisation's own Ray cluster, on whichever of its nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from icm_ray.config import EngineConfig
from icm_ray.runtime.carriers.actors import ActorHandle, threads_of
from icm_ray.runtime.carriers.cluster import Cluster
from icm_ray.runtime.orders.house import HouseFacts
from icm_ray.runtime.orders.lane_plan import Place
from icm_ray.runtime.worker.worker_main import Settings

__all__ = ["ActorWorkers"]

_ANYWHERE: Final = ""
"""So that Ray ends them, wherever they are: what ended otherwise it would report as a failure."""


class ActorWorkers:
    """Joins the cluster, or starts one on this machine. config: of each worker. address: as Ray takes it; "": that of
    RAY_ADDRESS, else a new one. cpus: that a worker asks for. labels: that its node must have.

    Errors: `SessionError` (no cluster is found).
    """

    def __init__(self, config: EngineConfig, address: str, cpus: float, labels: Mapping[str, str]) -> None:
        self._config, self._cpus, self._labels = config, cpus, dict(labels)
        self._cluster = Cluster(address or None)
        self.here = self._cluster.here()
        self.nodes = len(self._cluster.nodes())

    def start(self, name: str, place: Place, house: HouseFacts) -> ActorHandle:
        settings = Settings(self._config, place, threads_of(self._cpus), house)
        return ActorHandle(name, settings, self._cpus, self._labels, _ANYWHERE)

    def close(self) -> None:
        """Leave the cluster; end it if it was started here. Idempotent."""
        self._cluster.close()
