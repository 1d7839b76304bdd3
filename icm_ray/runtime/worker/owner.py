"""The role of an owner that is no party: it shares its own rows and receives what is revealed to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from icm_ray.config import EngineConfig
from icm_ray.errors import SessionError
from icm_ray.names import DEALER
from icm_ray.ops.seams import Link
from icm_ray.owner.sharing import OutsideOwner
from icm_ray.party.party import RunResult
from icm_ray.program.program import Program
from icm_ray.program.stamped import Stamped
from icm_ray.query.tasks import TableInfo
from icm_ray.ring.array import RingArray
from icm_ray.runtime.orders.jobs import Job, Open
from icm_ray.runtime.orders.lane_plan import LanePlan
from icm_ray.runtime.worker.guard import Guard
from icm_ray.runtime.worker.inputs import OwnRows
from icm_ray.runtime.worker.role import Role

__all__ = ["OwnerRole"]


class OwnerRole(Role):
    """An external owner: linked with the parties and the dealer."""

    def __init__(self, name: str, lane: LanePlan, config: EngineConfig, guard: Guard | None = None) -> None:
        super().__init__(name)
        self._rows = OwnRows(name, lane, config, guard)
        self._owner: OutsideOwner | None = None

    def link(self, links: Mapping[str, Link], secrets: Mapping[str, bytes]) -> None:
        parties = {peer: link for peer, link in links.items() if peer != DEALER}
        self._owner = OutsideOwner(self.name, parties, links[DEALER], {peer: secrets[peer] for peer in parties})

    def prepare(self, program: Program, job: Job, given: dict[str, RingArray]) -> dict[str, RingArray]:
        self._rows.check_members(program)
        return self._rows.inputs(program, job, given, {})

    def play(self, stamped: Stamped, job: Job, inputs: Mapping[str, RingArray]) -> RunResult:
        if self._owner is None:
            raise SessionError(f"{self.name} has no links yet")
        self._rows.commit()
        return RunResult(results=self._owner.run(stamped, job.job, job.partition, inputs))

    def open_table(self, order: Open, pushed: Iterable[tuple[int, bytes]]) -> TableInfo:
        return self._rows.open(order, pushed)

    def compare_ledgers(self, link: Link, first: bool) -> None:
        self._rows.ledgers.compare(link, first=first)

    def forget(self, keys: tuple[str, ...]) -> None:
        self._rows.forget(keys)

    def close(self) -> None:
        super().close()
        self._rows.close()
