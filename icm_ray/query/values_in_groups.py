"""The different values of a column in groups of public values, of rows that owners hold: how many, and not which.

Each owner shares a table of a public number of rows, padded: of each value that it has in a group the number of the
group, from 1 on, and the words of the value (`query.private_keys`), once; 0 pads. The tables, one after the other, are
sorted by them; with new_i = [row_i differs from row_(i-1)], new_0 = 1, the number of different values of a group is the
sum of new over its rows. Nothing is opened but orders of shuffled rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from icm_ray.errors import ProgramError
from icm_ray.ops.groups import MAX_DOMAIN_BITS, GroupTable
from icm_ray.ops.linear import AddPublic, AssumeWidth, Concatenate, Reshape, Scale, Slice
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder, Value
from icm_ray.query.expressions.tree import Of
from icm_ray.query.expressions.typing import resolved
from icm_ray.query.keyed_tables import KeyedTables
from icm_ray.query.lane_build import LaneBuild
from icm_ray.query.owner_rows import OwnerRows
from icm_ray.query.partials import Join, PartialAggregate, join
from icm_ray.query.private_groups import tables
from icm_ray.query.private_keys import PrivateKeys, key_widths
from icm_ray.query.rows import Rows, column_of
from icm_ray.query.sorted_sums import sums_at
from icm_ray.query.tasks import ColumnInfo, GroupKey, GroupRows, PrivateKey

__all__ = ["ValuesInGroups", "distinct_in_groups"]


@dataclass(frozen=True, slots=True)
class ValuesInGroups(PartialAggregate):
    """Tables (rows, 1 + words): of each value of an owner in a group the group's number and the value's words.

    values: the column as a private key, and how many different values in groups an owner brings from a lane.
    """

    words: ClassVar[str] = "different values in groups"
    rule: ClassVar[Join] = Join.ROWS
    joined: ClassVar[str] = "sort the owners' values by group and value, count those that are unlike the one before"

    values: PrivateKeys

    @property
    def kind(self) -> str:
        raise ProgramError("owners bring what is different in tables")

    def type(self, column: ColumnInfo, rows: int, cells: int) -> ValueType:
        widths = _widths(self.values, cells)
        return ValueType(shape=(min(rows, self.values.most), len(widths)), width=max(widths))

    def of_shares(self, builder: Builder, parts: Sequence[Value], rows: Rows) -> Value:
        raise ProgramError("owners bring what is different in tables")

    def of_owners(self, build: LaneBuild, base: OwnerRows, where: Of | None, by: tuple[GroupKey, ...]) -> Value:
        def read(of: Of) -> Of:
            return resolved(of, lambda name: column_of(base, name))

        cells = tuple(GroupKey(read(key.of), key.domain, key.edges) for key in by)
        keys = tuple(PrivateKey(read(key.of), key.kind, key.size) for key in self.values.keys)
        owners = {held.name: held.owner for held in base.tables}
        brought = []
        for name, lane, parts, rows in tables(base, self.values.most):
            if lane == build.lane:
                task = GroupRows(name, parts, keys, rows, (), None if where is None else read(where), cells=cells)
                column = column_of(base, self.column)
                kind, label = self.type(column, rows, task.count_of_cells), f"{self.words}, {column.name}"
                brought.append(build.bring(owners[name], label, task, kind, base.behind(name, parts)))
        return join(build.builder, self.rule, brought)


def distinct_in_groups(builder: Builder, table: Value, values: PrivateKeys, cells: int) -> Value:
    """How many different values each group has (cells,), from all owners' tables, one after the other."""
    return _Values(builder, _widths(values, cells), table.type.shape[0]).counted(table, cells)


def _widths(values: PrivateKeys, cells: int) -> list[int]:
    """Of the words of a row: of the group's number, of the value."""
    return [cells.bit_length() + 1, *(width for key in values.keys for width in key_widths(key))]


class _Values(KeyedTables):
    """Rows that are words of keys alone."""

    def __init__(self, builder: Builder, widths: Sequence[int], rows: int) -> None:
        super().__init__(builder, widths, len(widths), 0, 1, rows)

    def counted(self, table: Value, cells: int) -> Value:
        """(cells,): rows of each number from 1 on that are unlike the one before."""
        add = self._builder.add
        table = self._sorted(table) if self._count > 1 else table
        numbers = self._column(table, 0)
        one = add(AddPublic(1), add(AssumeWidth(1, 0.0), add(Scale(0), add(Slice(((0, 1, 1),)), numbers))))
        new = add(Concatenate(), one, self._new(table)) if self._count > 1 else one
        new = add(AssumeWidth(2), new)
        if cells >= 1 << MAX_DOMAIN_BITS:
            column = add(Reshape((self._count, 1)), new)
            return add(Reshape((cells,)), sums_at(self._builder, numbers, column, range(1, cells + 1)))
        found = add(Slice(((0, 1, 1), (1, cells + 1, 1))), add(GroupTable(cells + 1), numbers, new))
        return add(Reshape((cells,)), found)
