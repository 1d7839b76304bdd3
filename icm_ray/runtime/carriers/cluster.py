"""Joining a Ray cluster, or starting one: which, how quietly, and how it is left."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from typing import Any, Final

from icm_ray.errors import PlacementError, SessionError
from icm_ray.planner.placement import LanePlacement, NodeFacts, place

__all__ = ["Cluster"]

# Read when Ray is imported and initialised: no environment derived from uv, no usage reports, no GPU warning.
_QUIET: Final = {
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
_KNOCK: Final = 5.0
_SETTLE: Final = 5.0
"""Seconds that CPUs of workers that have just ended may take to come back."""


class Cluster:
    """A connection to Ray. `close` undoes what the making did, and no more.

    address: None for the Ray that this process has initialised, else that of RAY_ADDRESS, else a new one, on this
    machine.
    """

    def __init__(self, address: str | None = None) -> None:
        for name, value in _QUIET.items():
            os.environ.setdefault(name, value)
        self._folder = ""
        self._ours = False
        self._join(address)

    def _join(self, address: str | None) -> None:
        import ray

        if ray.is_initialized():
            if address is not None:
                raise SessionError(
                    f"this process has initialised Ray already: leave address={address!r} out to use that, "
                    "or call ray.shutdown() first"
                )
            return
        address = address or os.environ.get("RAY_ADDRESS") or "local"
        if address.startswith("ray://"):
            raise SessionError(
                f"{address!r} is a Ray Client address: the driver would have no links to the workers. "
                "Run the driver on a node of the cluster, with address='auto' or the head's host:port"
            )
        with _quiet():
            if address == "local":
                self._folder = tempfile.mkdtemp(prefix="icm-", dir="/tmp")  # sockets need a short path
                try:
                    ray.init(
                        address="local",
                        include_dashboard=False,
                        log_to_driver=False,
                        logging_level=logging.ERROR,
                        _temp_dir=self._folder,
                    )
                except BaseException:
                    shutil.rmtree(self._folder, ignore_errors=True)
                    raise
            else:
                try:
                    _knock(address)
                    ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
                except (OSError, ValueError) as error:
                    raise SessionError(
                        f"no Ray cluster could be joined at {address!r}: {_first_line(error)}. Is it running? If "
                        "it uses token authentication, set RAY_AUTH_MODE=token (and RAY_AUTH_TOKEN or its file)"
                    ) from error
        self._ours = True

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
        return [
            NodeFacts(node["NodeName"], float(free.get(node["NodeID"], {}).get("CPU", 0.0)), dict(node["Labels"]))
            for node in cluster.nodes()
            if node["Alive"]
        ]

    def single(self) -> bool:
        """Whether this process's node is the whole cluster, so that workers see its files."""
        return len(self.nodes()) == 1

    def place(self, parties: tuple[str, ...], owners: tuple[str, ...], lanes: int | None) -> LanePlacement:
        """`planner.place` on this cluster. Where CPUs are missing, looks again for 5 s: workers may just have ended."""
        deadline = monotonic() + _SETTLE
        while True:
            try:
                return place(self.nodes(), parties, owners, lanes)
            except PlacementError as error:
                if error.where.get("missing") != "CPU" or monotonic() > deadline:
                    raise
            sleep(0.1)

    def close(self) -> None:
        """Leave the cluster; end it if it was started here. Idempotent."""
        import ray

        if self._ours:
            self._ours = False
            ray.shutdown()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = ""


def _knock(address: str) -> None:
    """Raise OSError where nobody listens at host:port; Ray would take more than a minute to say so."""
    host, _, port = address.rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK).close()


@contextmanager
def _quiet() -> Iterator[None]:
    """Ray's log above warnings alone, while it starts."""
    logger = logging.getLogger("ray")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
