"""A session: lanes of workers on a Ray cluster, from `with` to its end."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, Final

from icm_ray.config import EngineConfig, from_environment
from icm_ray.errors import InputError, PeerSilent, PlacementError
from icm_ray.runtime.carriers.actors import ActorHandle, threads_of
from icm_ray.runtime.carriers.cluster import Cluster
from icm_ray.runtime.driver.checked_names import checked_names
from icm_ray.runtime.driver.lane_engine import LaneEngine
from icm_ray.runtime.orders.lane_plan import Place
from icm_ray.runtime.worker.worker_main import Settings
from icm_ray.whole_numbers import whole_number

__all__ = ["Session"]

_LOGGER: Final = logging.getLogger(__name__)


class Session(LaneEngine):
    """A session starts the workers of parties, owners and dealer on a Ray cluster, and ends them.

    They are grouped in lanes, one worker of each in every lane. `with` closes the session at its end; so does dropping
    it. A session belongs to the process that opened it: it is neither pickled nor used in a forked child.

    Args:
        parties: Two names or more; each party computes on its shares in a worker of its own.
        owners: Further names, of those who bring data or receive results and compute nothing; by default there are
            none.
        address: None for a Ray that this process has initialised (it is left running), else that of RAY_ADDRESS, else a
            new cluster on this machine; or "auto", or host:port.
        lanes: How many partitions are worked on at a time; None: as many as the cluster has CPUs for, and one at least.
        config: Settings of the engine; None: those of the environment (`ICM_FRACTION_BITS` and so on).
        **settings: Fields of `EngineConfig`, such as `fraction_bits=20`, put over `config`.

    Attributes:
        parties (tuple[str, ...]): The names of the parties.
        owners (tuple[str, ...]): The names of the owners that are no parties.
        lanes (int): The number of lanes.
        usable_lanes (tuple[int, ...]): Those that live, by number: one that has lost a worker takes no more part.
        config (EngineConfig): The settings.

    Raises:
        OwnerError: Names that cannot be.
        InputError: A setting that is unknown or cannot be, or less than one lane.
        SessionError: No cluster is found or can be started, or a worker refuses to join (`StockError`: its directory of
            prepared randomness).
        PlacementError: The cluster has no room, or no node for a party.
        FaultError: A worker fails in the start.

    Examples:
        >>> with icm.Session(parties=("alice", "bob")) as session:  # doctest: +SKIP
        ...     visits = an.from_pandas(session, {"alice": north, "bob": south})
        ...     visits["cost"].mean().reveal()
        203.3
        >>> session.parties
        ('alice', 'bob')
    """

    def __init__(
        self,
        parties: Sequence[str] = ("alice", "bob"),
        owners: Sequence[str] = (),
        address: str | None = None,
        lanes: int | None = None,
        config: EngineConfig | None = None,
        **settings: Any,
    ) -> None:
        parties, owners = checked_names(parties, owners)
        known = [field.name for field in fields(EngineConfig)]
        if unknown := [name for name in settings if name not in known]:
            raise InputError(f"a session has no setting {unknown[0]!r}; there are {', '.join(known)}")
        chosen = replace(config or from_environment(), **settings)
        wanted = _checked_lanes(lanes)
        if address is not None and not isinstance(address, str):
            raise InputError(f"address is text, 'auto' or the head's host:port, not {address!r}")
        self._cluster = Cluster(address)
        try:
            placed = self._cluster.place(parties, owners, wanted)
        except BaseException:
            self._cluster.close()
            raise
        if placed.notice:
            _LOGGER.warning("%s", placed.notice)
        taken = f"{placed.cpus * placed.lanes * len(placed.selectors):g} CPUs"
        here = self._cluster.here()
        self.local = self._cluster.single()
        worker = Settings(chosen, Place(""))

        def start(name: str) -> ActorHandle:
            return ActorHandle(name, worker, placed.cpus, dict(placed.selectors[name]), here)

        try:
            super().__init__(parties, owners, placed.lanes, chosen, start, threads_of(placed.cpus), self._cluster.close)
            self._cluster.opened(self, taken)
        except PeerSilent as error:
            if error.step != "start":
                raise
            raise PlacementError(
                f"{error.party}: no worker started within {chosen.start_timeout:g} s; has the cluster no room left?",
                party=error.party,
                missing="CPU",
            ) from error

    def close(self) -> None:
        """End the workers and leave the cluster, whatever state they are in.

        Closing twice is closing once. In a forked child nothing happens: the workers are the parent's.

        Examples:
            >>> session = icm.Session()  # doctest: +SKIP
            >>> session.close()  # doctest: +SKIP
        """
        super().close()

    def __repr__(self) -> str:
        state = "closed" if self._ending.closed else "open"
        return f"Session(parties={self.parties}, owners={self.owners}, lanes={self.lanes}, {state})"


def _checked_lanes(given: Any) -> int | None:
    """None stands for as many as there is room for."""
    lanes = whole_number(given)
    if given is not None and lanes is None:
        raise InputError(f"lanes must be a whole number from 1 on, not {given!r}")
    if lanes is not None and lanes < 1:
        raise InputError(f"{lanes} lanes; a session has one at least")
    return lanes
