"""Rows that their owners hold: each owner aggregates its own in the clear, and shares the aggregate alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from icm_ray.ops.labels import Label, Labels, merged
from icm_ray.payload import Natural
from icm_ray.policy import Policy
from icm_ray.program.build import Value
from icm_ray.query.expressions.tree import Of
from icm_ray.query.expressions.typing import resolved
from icm_ray.query.lane_build import LaneBuild
from icm_ray.query.partials import PartialAggregate, join
from icm_ray.query.rows import column_of
from icm_ray.query.tasks import Aggregate, ColumnInfo, GroupKey

__all__ = ["OwnerRows", "OwnerTable"]


class OwnerTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One owner's table: rows of each partition, and the lane whose worker holds (or reads) each."""

    name: str
    owner: str
    rows: tuple[Natural, ...]
    lanes: tuple[Natural, ...]

    def parts_in(self, lane: int) -> tuple[int, ...]:
        """The partitions that a lane's worker reads and that have rows."""
        places = enumerate(zip(self.lanes, self.rows, strict=True))
        return tuple(part for part, (at, count) in places if at == lane and count)


class OwnerRows(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="owners"):
    """tables: one for each owner. log2_bounds: by column, of the largest magnitude, for the day it is shared.
    ranges: of columns whose kind has a unit the name, the least and the largest number of units, for the same day.
    """

    name: str
    columns: tuple[ColumnInfo, ...]
    tables: tuple[OwnerTable, ...]
    log2_bounds: tuple[tuple[str, int], ...] = ()
    policy: Policy | None = None
    ranges: tuple[tuple[str, int, int], ...] = ()

    @property
    def source(self) -> str:
        return self.name

    @property
    def count(self) -> int:
        return sum(self.owners.values())

    @property
    def owners(self) -> Mapping[str, int]:
        brought: dict[str, int] = {}
        for table in self.tables:
            brought[table.owner] = brought.get(table.owner, 0) + sum(table.rows)
        return brought

    @property
    def shared(self) -> bool:
        return False

    @property
    def lanes(self) -> frozenset[int]:
        return frozenset(
            lane for table in self.tables for lane, rows in zip(table.lanes, table.rows, strict=True) if rows
        )

    def labels(self, lane: int) -> Labels:
        return merged(self._label(table, parts) for table in self.tables if (parts := table.parts_in(lane)))

    def _label(self, table: OwnerTable, parts: Iterable[int]) -> Label:
        return Label(self.source, table.owner, tuple((part, table.rows[part]) for part in parts))

    def behind(self, table: str, parts: Iterable[int]) -> Labels:
        """Whose rows anything is made of that is made of these partitions of a table."""
        return tuple(self._label(held, parts) for held in self.tables if held.name == table)

    @property
    def kept(self) -> Sequence[str]:
        return [table.name for table in self.tables]

    @property
    def where(self) -> None:
        return None

    @property
    def private(self) -> None:
        return None

    @property
    def groups(self) -> int:
        return 0

    @property
    def by(self) -> tuple[GroupKey, ...]:
        return ()

    def rounding(self, column: Of) -> float:
        return 0.0

    def one_word(self, column: Of) -> bool:
        return False

    def width(self, column: Of) -> int:
        return 0

    def step(self, column: Of) -> int:
        return -1

    def texts(self, column: Of) -> tuple[str, ...]:
        return ()

    def partial(
        self, build: LaneBuild, partial: PartialAggregate, where: Of | None = None, by: tuple[GroupKey, ...] = ()
    ) -> Value:
        """What the rows of one lane contribute, those where a condition is true, in groups."""
        if (tables := partial.of_owners(build, self, where, by)) is not None:
            return tables
        values = self._aggregates(build, partial, where, by)
        return join(build.builder, partial.rule, list(values))

    def _aggregates(
        self, build: LaneBuild, partial: PartialAggregate, where: Of | None, by: tuple[GroupKey, ...]
    ) -> Iterable[Value]:
        column = column_of(self, partial.column)
        nullable = column.nullable or (partial.times is not None and column_of(self, partial.times).nullable)
        for table in self.tables:
            if parts := table.parts_in(build.lane):
                task = Aggregate(
                    table.name,
                    self._resolved(partial.column),
                    parts,
                    partial.kind,
                    partial.between,
                    column.kind,
                    None if where is None else self._resolved(where),
                    tuple(msgspec.structs.replace(key, of=self._resolved(key.of)) for key in (*by, *partial.by)),
                    nullable,
                    partial.next_digits,
                    partial.in_ring,
                    None if partial.times is None else self._resolved(partial.times),
                    partial.entity,
                    partial.keys_of,
                    tuple(sum(table.rows[:part]) for part in parts) if partial.keys_of else (),
                )
                kind = partial.type(column, sum(table.rows[part] for part in parts), task.cells)
                value = build.bring(
                    table.owner, f"{task.kind} of {column.name}", task, kind, (self._label(table, parts),)
                )
                yield partial.brought(build.builder, value)

    def _resolved(self, of: Of) -> Of:
        return resolved(of, lambda name: column_of(self, name))
