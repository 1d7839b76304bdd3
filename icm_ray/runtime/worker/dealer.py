"""The dealer's role: it deals for what the lane runs, and hears nothing of it."""

from __future__ import annotations

from collections.abc import Mapping

from icm_ray.dealer.dealer import Dealer
from icm_ray.errors import SessionError
from icm_ray.ops.seams import Link
from icm_ray.party.party import RunResult
from icm_ray.preprocessing.directory import Directory
from icm_ray.preprocessing.ledger import Batch
from icm_ray.preprocessing.stock import DealerStock
from icm_ray.program.program import Program
from icm_ray.program.stamped import Stamped
from icm_ray.ring.array import RingArray
from icm_ray.runtime.orders.jobs import Job
from icm_ray.runtime.worker.role import Role

__all__ = ["DealerRole"]


class DealerRole(Role):
    """threads: that deal."""

    def __init__(self, name: str, threads: int) -> None:
        super().__init__(name)
        self._threads = threads
        self._dealer: Dealer | None = None

    @property
    def _linked(self) -> Dealer:
        if self._dealer is None:
            raise SessionError(f"{self.name} has no links yet")
        return self._dealer

    @property
    def stock(self) -> DealerStock | None:
        return self._dealer.stock if self._dealer is not None else None

    def link(self, links: Mapping[str, Link], secrets: Mapping[str, bytes]) -> None:
        if self._dealer is None:
            self._dealer = Dealer(links, secrets, threads=self._threads)
        else:
            self._dealer.relink(links, secrets)

    def prepare(self, program: Program, job: Job, given: dict[str, RingArray]) -> dict[str, RingArray]:
        self._linked.check(program)
        return given

    def play(self, stamped: Stamped, job: Job, inputs: Mapping[str, RingArray]) -> RunResult:
        return RunResult(attempt=self._linked.run(stamped, job.job, job.partition))

    def undo(self) -> None:
        self._linked.undo()

    def open_stock(self, directory: Directory) -> None:
        self._linked.stock = DealerStock(directory, self.name)

    def preprocess(self, stamped: Stamped, job: Job, count: int) -> Batch:
        return self._linked.preprocess(stamped, job.job, count)

    def forget(self, keys: tuple[str, ...]) -> None:
        for key in keys:
            self._linked.forget(key)
