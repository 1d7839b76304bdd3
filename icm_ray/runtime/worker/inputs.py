"""What a member that owns data brings to programs: its tables, and the inputs made from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from icm_ray.config import EngineConfig
from icm_ray.errors import InputError, ProgramError, ShapeError
from icm_ray.ops.linear import Input
from icm_ray.owner.noise import noise_words
from icm_ray.owner.tables import Tables
from icm_ray.policy import Policy
from icm_ray.program.program import Program
from icm_ray.protocols.io import array_shape
from icm_ray.query.held import HeldWeight
from icm_ray.query.lane_build import Members
from icm_ray.query.tasks import Given, NoiseDraw, PushedSource, TableInfo
from icm_ray.ring.array import RingArray
from icm_ray.runtime.orders.jobs import Job, Open
from icm_ray.runtime.orders.lane_plan import LanePlan
from icm_ray.runtime.worker.guard import Guard
from icm_ray.runtime.worker.ledgers import Ledgers
from icm_ray.runtime.worker.plan_check import PlanCheck

__all__ = ["OwnRows"]


class OwnRows:
    """The tables of `owner` in this worker, and what it holds every job against that asks for them."""

    def __init__(self, owner: str, lane: LanePlan, config: EngineConfig, guard: Guard | None = None) -> None:
        self._owner, self._tables, self._guard = owner, Tables(config.partition_bytes), guard
        self._members = Members(lane.parties, lane.owners)
        self.ledgers = Ledgers(owner, lane, config)
        self._check = PlanCheck(owner, lane.lane, self._members, config.free_programs, self.ledgers, guard)

    def open(self, order: Open, pushed: Iterable[tuple[int, bytes]]) -> TableInfo:
        """Open a table under a new name; returns its public facts. pushed: (partition, Arrow stream) as they come."""
        if self._tables.has(order.table):  # whose rows would be others then
            raise ProgramError(f"{self._owner} refuses: a table {order.table!r} is open")
        source = order.source if self._guard is None else self._guard.source(order.table, order.source)
        if isinstance(source, PushedSource):
            return self._tables.receive(order.table, source.partitions, pushed)
        info = self._tables.open(order.table, source)
        return info if self._guard is None else self._guard.public(order.table, info)

    def check_members(self, program: Program) -> None:
        """Raise `ProgramError` for a program of others than the lane has."""
        there = self._members
        if program.parties != there.parties or not set(program.owners) <= set(there.owners):
            members = f"{program.parties} and {program.owners}" if program.owners else f"{program.parties}"
            raise ProgramError(f"a program for {members} in a lane of {there.parties} and {there.owners}")

    def check_policy(self, tables: Iterable[str], dataset: str, policy: Policy) -> None:
        """Raise `PolicyError` for a policy of a dataset with these tables, of whichever owner, that is weaker than what
        guards rows of an instance, or has the name of one that guards others; `ProgramError` where one belongs to
        another dataset.
        """
        if self._guard is not None:
            self._guard.check_policy(dataset, policy, tables)
        self._check.check_belong(tables, dataset)

    def belong(self, tables: Iterable[str], dataset: str) -> None:
        """These tables belong to a dataset, whose policy was accepted."""
        self._check.belong(tables, dataset)
        if self._guard is not None:
            self._guard.belong(dataset, tables)

    def catalogued(self, dataset: str) -> str:
        """The dataset of an instance's catalogue that one of the session is; "": none."""
        return "" if self._guard is None else self._guard.catalogued(dataset)

    @property
    def datasets(self) -> frozenset[str]:
        """Those of which a table or shares are known to be there."""
        return self._check.datasets

    def inputs(
        self, program: Program, job: Job, given: dict[str, RingArray], policies: Mapping[str, Policy]
    ) -> dict[str, RingArray]:
        """What the owner brings to a run, by name: `given`, and what its tasks make of its tables.

        policies: those that it keeps, by dataset.
        Raises `InputError` for values that cannot be shared, `ProgramError` for an input that nobody brings, and what
        `PlanCheck` raises for a job that does not follow from what is asked.
        """
        tasks = self._check.tasks(job, program, policies, self._tables.info)
        own = {name: task for name, task in tasks.items() if not isinstance(task, Given | NoiseDraw | HeldWeight)}
        try:
            given |= self._tables.make_all(own, self.ledgers.secret_of_rows)
        except InputError:
            if self._guard is not None:
                self._guard.models.spoil()
            raise
        if held := [name for name, task in tasks.items() if isinstance(task, HeldWeight)]:
            if self._guard is None:
                raise ProgramError(f"{self._owner} has no catalogue of models: only an instance has one")
            given |= self._guard.models.weights(held)
        for name, task in tasks.items():
            if isinstance(task, NoiseDraw):
                given[name] = noise_words(task, self.ledgers.secret(task.dataset))
        types = program.types()
        for index, node in program.outward:
            kind = types[index]
            if not isinstance(node.op, Input) or node.op.owner != self._owner:
                continue
            if node.op.name not in given:
                raise ProgramError(f"{self._owner} has no input {node.op.name}")
            if given[node.op.name].shape != array_shape(kind):
                raise ShapeError(
                    f"{self._owner}'s input {node.op.name} has shape {given[node.op.name].shape}, "
                    f"the program has {array_shape(kind)}"
                )
        return given

    def commit(self) -> None:
        """All members agreed on the job whose inputs were made last."""
        self._check.commit()

    def forget(self, keys: tuple[str, ...]) -> None:
        """Drop tables of these names."""
        self._check.forget(keys)
        if self._guard is not None:
            self._guard.forget(keys)
        for key in keys:
            self._tables.close(key)

    def close(self) -> None:
        """Let go of what ledgers lie in. Idempotent."""
        self.ledgers.close()
