"""What a worker does in its lane: one role for each kind of member. A role refuses what is not its part."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping

from icm_ray.errors import ProgramError, SessionError
from icm_ray.ops.seams import Link
from icm_ray.party.party import RunResult
from icm_ray.policy import Policy
from icm_ray.preprocessing.directory import Directory
from icm_ray.preprocessing.ledger import Batch
from icm_ray.preprocessing.stock import DealerStock, PartyStock
from icm_ray.program.program import Program
from icm_ray.program.stamped import Stamped
from icm_ray.query.row_set import RowSet
from icm_ray.query.tasks import TableInfo
from icm_ray.ring.array import RingArray
from icm_ray.runtime.orders.jobs import Gather, Job, Open

__all__ = ["Role"]


class Role(ABC):
    """The part of the member `name`. One call at a time, all in the worker's serving thread."""

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def stock(self) -> PartyStock | DealerStock | None:
        """Randomness dealt ahead of time; None while there is none."""
        return None

    @abstractmethod
    def link(self, links: Mapping[str, Link], secrets: Mapping[str, bytes]) -> None:
        """Work over these links, by peer, from now on; what is kept stays."""

    def prepare(self, program: Program, job: Job, given: dict[str, RingArray]) -> dict[str, RingArray]:
        """Say what would stop this member in the middle, before the others begin; the inputs that it brings, by name.

        Raises `ProgramError`, `PolicyError` or `InputError`.
        """
        return given

    @abstractmethod
    def play(self, stamped: Stamped, job: Job, inputs: Mapping[str, RingArray]) -> RunResult:
        """This member's part of one run. Raises `FaultError` where a peer fails."""

    def open_stock(self, directory: Directory) -> None:
        """Keep prepared randomness in this directory."""
        raise SessionError(f"{self.name} has no stock")

    def preprocess(self, stamped: Stamped, job: Job, count: int) -> Batch:
        """Put `count` slots of a program on disk; they count once the batch is added to the stock."""
        raise SessionError(f"{self.name} has no stock")

    def open_table(self, order: Open, pushed: Iterable[tuple[int, bytes]]) -> TableInfo:
        """Open a table; returns its public facts. pushed: (partition, Arrow stream) as they come from the driver."""
        raise ProgramError(f"{self.name} has no tables")

    def set_policy(
        self, dataset: str, policy: Policy, tables: tuple[str, ...], sets: tuple[RowSet, ...]
    ) -> tuple[RowSet, ...]:
        """What this member lets be revealed of a dataset, whose rows these tables have. sets: which row sets others
        know of; returns those that this one knows of then.
        """
        raise ProgramError(f"{self.name} is no party")

    def gather(self, order: Gather, link: Link, home: bool) -> None:
        """Send copies of kept shares over this member's own link to another lane, or take them there (`home`)."""
        raise ProgramError(f"{self.name} is no party")

    def compare_ledgers(self, link: Link, first: bool) -> None:
        """Find out whether this member's workers in two lanes keep one ledger, over its own link between them. first:
        whether this is the one in the first lane. Raises `SessionError` in the other where they do not.
        """
        raise ProgramError(f"{self.name} keeps no ledger")

    @abstractmethod
    def forget(self, keys: tuple[str, ...]) -> None:
        """Drop shares, weights and tables."""

    def undo(self) -> None:
        """Drop what the last run left: other members did not end it."""
        return

    def settle(self) -> None:
        """Do what could wait until the answer was out."""
        return

    def close(self) -> None:
        """Give up what outlives links. Idempotent."""
        if self.stock is not None:
            self.stock.close()
