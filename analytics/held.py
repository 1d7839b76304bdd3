"""Rows that their owners hold: each owner aggregates its own in the clear, and shares the aggregate alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from threading import Event

from analytics.quantity import LaneBuild, Quantity, QuantityKind, join
from icm_ray.ops.linear import Scale
from icm_ray.ops.values import Kind, ValueType, log2_ceil
from icm_ray.policy import Policy
from icm_ray.program.build import Value
from icm_ray.query.tasks import Aggregate, ColumnInfo
from icm_ray.runtime.driver.engine import Engine, Table

__all__ = ["HeldRows"]

# The ranges that owners check themselves (icm_ray.query.tasks.Aggregate), as types; exact, whatever the column's scale.
_SUM = ValueType(kind=Kind.WIDE, shape=(1,), f=64, width=58 + 64 + 1)
_SQUARES = ValueType(kind=Kind.WIDE, shape=(1,), f=128, width=88 + 128 + 1)
_EXTREME = ValueType(shape=(1,), width=63)
_BIT = ValueType(shape=(1,), width=2)
_ROUNDING = 2.0**-63

_TASKS = {
    QuantityKind.WIDE_TOTAL: "sum",
    QuantityKind.SQUARES: "squares",
    QuantityKind.LARGEST: "max",
    QuantityKind.NEGATED: "min",
    QuantityKind.COUNTS: "histogram",
    QuantityKind.VALUES: "count",
}


@dataclass(frozen=True, slots=True, eq=False)
class HeldRows:
    """tables: one for each owner. declared: by column, log2 of the largest magnitude, for the day it is shared."""

    engine: Engine
    dataset: str
    policy: Policy | None
    columns: tuple[ColumnInfo, ...]
    tables: Mapping[str, Table]
    declared: Mapping[str, int]
    forgotten: Event = field(default_factory=Event)

    @property
    def count(self) -> int:
        return sum(self.owners.values())

    @property
    def owners(self) -> Mapping[str, int]:
        return {owner: sum(table.info.rows) for owner, table in self.tables.items()}

    @property
    def shared(self) -> bool:
        return False

    @property
    def key(self) -> str:
        return self.dataset

    @property
    def lanes(self) -> frozenset[int]:
        return frozenset(
            lane for table in self.tables.values() for lane in range(self.engine.lanes) if _at(table, lane)
        )

    def fits(self, quantity: Quantity) -> Quantity:
        wide = quantity.kind is QuantityKind.TOTAL
        return replace(quantity, kind=QuantityKind.WIDE_TOTAL) if wide else quantity

    def forget(self) -> None:
        self.forgotten.set()
        self.engine.forget([table.name for table in self.tables.values()])

    def partial(self, build: LaneBuild, quantity: Quantity) -> Value:
        places = [(owner, table, _at(table, build.lane)) for owner, table in self.tables.items()]
        values = [self._aggregate(build, quantity, owner, table, parts) for owner, table, parts in places if parts]
        return join(build.builder, quantity.kind, values)

    def _aggregate(
        self, build: LaneBuild, quantity: Quantity, owner: str, table: Table, parts: tuple[int, ...]
    ) -> Value:
        kind = _TASKS[quantity.kind]
        task = Aggregate(table.name, quantity.column, parts, kind, quantity.edges, self._kind(quantity.column))
        rows = sum(table.info.rows[part] for part in parts)
        value = build.bring(owner, f"{kind} of {quantity.column}", task, self._type(quantity, rows))
        return build.builder.add(Scale(-1), value) if quantity.kind is QuantityKind.NEGATED else value

    def _type(self, quantity: Quantity, rows: int) -> ValueType:
        if quantity.kind is QuantityKind.COUNTS:
            return ValueType(shape=(len(quantity.edges) - 1,), width=log2_ceil(rows + 1) + 1)
        if quantity.kind is QuantityKind.VALUES:
            return ValueType(shape=(1,), width=log2_ceil(rows + 1) + 1)
        if quantity.kind is QuantityKind.WIDE_TOTAL:
            return _SUM
        if quantity.kind is QuantityKind.SQUARES:
            return _SQUARES
        return _BIT if self._kind(quantity.column) == "bool" else _EXTREME

    def _kind(self, column: str) -> str:
        return next(info.kind for info in self.columns if info.name == column)

    def rounding(self, column: str) -> float:
        return _ROUNDING if self._kind(column) == "float" else 0.0

    def step(self, column: str) -> int:
        return -1


def _at(table: Table, lane: int) -> tuple[int, ...]:
    """The partitions of a table that a lane's worker reads and that have rows."""
    rows = enumerate(zip(table.lanes, table.info.rows, strict=True))
    return tuple(part for part, (at, count) in rows if at == lane and count)
