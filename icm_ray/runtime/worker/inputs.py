"""What a member that owns data brings to programs: its tables, and the inputs made from them."""

from __future__ import annotations

from collections.abc import Iterable

from icm_ray.errors import ProgramError, ShapeError
from icm_ray.ops.linear import Input
from icm_ray.owner.tables import Tables
from icm_ray.program.program import Program
from icm_ray.protocols.io import array_shape
from icm_ray.query.tasks import Given, PushedSource, TableInfo
from icm_ray.ring.array import RingArray
from icm_ray.runtime.orders.jobs import Job, Open

__all__ = ["OwnRows"]


class OwnRows:
    """The tables of `owner` in this worker. partition_bytes: plaintext bytes of a partition, about."""

    def __init__(self, owner: str, partition_bytes: int) -> None:
        self._owner, self._tables = owner, Tables(partition_bytes)

    def open(self, order: Open, pushed: Iterable[tuple[int, bytes]]) -> TableInfo:
        """Open a table under its name; returns its public facts. pushed: (partition, Arrow stream) as they come."""
        if isinstance(order.source, PushedSource):
            return self._tables.receive(order.table, order.source.partitions, pushed)
        return self._tables.open(order.table, order.source)

    def inputs(self, program: Program, job: Job, given: dict[str, RingArray]) -> dict[str, RingArray]:
        """What the owner brings to a run, by name: `given`, and what its tasks make of its tables.

        Raises `InputError` for values that cannot be shared, `ProgramError` for an input that nobody brings.
        """
        for name, task in job.tasks.get(self._owner, {}).items():
            if not isinstance(task, Given):
                given[name] = self._tables.make(task)
        for node, kind in zip(program.nodes, program.types(), strict=True):
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

    def forget(self, keys: Iterable[str]) -> None:
        """Drop tables of these names."""
        for key in keys:
            self._tables.close(key)
