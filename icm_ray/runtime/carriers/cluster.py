"""Joining a Ray cluster, or starting one: which, how quietly, and how it is left."""

from __future__ import annotations

import math
import weakref
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Final

from icm_ray.errors import PlacementError
from icm_ray.planner.placement import LanePlacement, NodeFacts, place
from icm_ray.runtime.carriers.process_ray import process_ray
from icm_ray.runtime.driver.ending import GIVE_BACK
from icm_ray.runtime.driver.keeper import keeper

__all__ = ["Cluster"]

_SETTLE: Final = 5.0
"""Seconds that CPUs of workers that have just ended may take to come back."""


class Cluster:
    """A session's connection to Ray. `close` undoes what the making did, and no more; so does dropping it.

    address: None for the Ray that this process has initialised, else that of RAY_ADDRESS, else a new one, on this
    machine.
    """

    def __init__(self, address: str | None = None) -> None:
        self._ray = process_ray()
        give_back = keeper(GIVE_BACK)
        self._number = self._ray.join(address)
        self._leave = partial(self._ray.leave, self._number)
        weakref.finalize(self, give_back.submit, self._leave).atexit = False

    @staticmethod
    def here() -> str:
        """The address of this process's node, as its workers know it."""
        import ray

        util: Any = ray.util
        return str(util.get_node_ip_address())

    @staticmethod
    def nodes() -> list[NodeFacts]:
        """The living nodes, with the CPUs that are free."""
        from ray._private import state

        cluster: Any = state  # what it has is not annotated
        free = cluster.available_resources_per_node()
        alive = [node for node in cluster.nodes() if node["Alive"]]
        return [
            NodeFacts(
                node["NodeName"],
                float(free.get(node["NodeID"], {}).get("CPU", 0.0)),
                dict(node["Labels"]),
                _free_memory() if len(alive) == 1 else float(node["Resources"].get("memory", math.inf)),
            )
            for node in alive
        ]

    def single(self) -> bool:
        """Whether this process's node is the whole cluster, so that workers see its files."""
        return len(self.nodes()) == 1

    def place(self, parties: tuple[str, ...], owners: tuple[str, ...], lanes: int | None) -> LanePlacement:
        """`planner.place` on this cluster. Where CPUs are missing, looks again for 5 s: workers may just have ended."""
        deadline = monotonic() + _SETTLE
        while True:
            try:
                return place(self.nodes(), parties, owners, lanes, self._taken())
            except PlacementError as error:
                if error.where.get("missing") != "CPU" or monotonic() > deadline:
                    raise
            sleep(0.1)

    def opened(self, session: object, taken: str) -> None:
        """Let messages to later sessions of this process name this one and what it has taken, until it is closed."""
        self._ray.takers[self._number] = (weakref.ref(session), taken)

    def _taken(self) -> str:
        takers = [(session(), taken) for session, taken in list(self._ray.takers.values())]
        said = "; ".join(f"{session!r} has {taken}" for session, taken in takers if session is not None)
        return f"close a session of this process ({said}), end what else uses them" if said else ""

    def close(self) -> None:
        """Leave the cluster; end it if it was started for sessions alone, and this is the last. Idempotent."""
        self._leave()


def _free_memory() -> float:
    """Bytes that this machine can give to new processes; infinite where the kernel does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(float(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return math.inf
