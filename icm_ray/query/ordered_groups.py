"""The values of a column of shared rows in groups of public values, in order within each: sorted once for all that is
asked of them (`query.sorted_ranks`).

Lanes bring the group and the value of each of their rows; the rows of all lanes are sorted in the first one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from icm_ray.errors import BoundError, ProgramError
from icm_ray.ops.linear import AssumeWidth, Concatenate, Rescale, Reshape, Slice
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder, Value
from icm_ray.query.expressions.tree import Of
from icm_ray.query.expressions.words import words
from icm_ray.query.lane_build import LaneBuild
from icm_ray.query.partials import Join, PartialAggregate
from icm_ray.query.private_keys import word_of_no_key
from icm_ray.query.rows import Rows
from icm_ray.query.secret_cells import ChosenShares, groups_of, placed_shares
from icm_ray.query.secret_groups import key_of_shares, keyed, sorted_cells, wanted_words
from icm_ray.query.secret_rows import SecretPartition, SecretRows
from icm_ray.query.selection import SelectedRows
from icm_ray.query.sorted_ranks import RanksByKey, ends_of, in_order
from icm_ray.query.tasks import ColumnInfo, GroupKey

__all__ = ["OrderedGroups", "by_sorting", "ranks_of", "typed_values"]

_FEW: Final = 8
"""Groups in which each row is compared with the largest, one after the other: fewer comparisons than a sort has."""


@dataclass(frozen=True, slots=True)
class OrderedGroups(PartialAggregate):
    """Of a lane (rows, 2): a word that says of which group each row is, and its value, whole numbers; of all lanes what
    `sorted_ranks.in_order` makes of them.
    """

    words: ClassVar[str] = "order of values in groups"
    rule: ClassVar[Join] = Join.ROWS
    apart: ClassVar[bool] = True
    joined: ClassVar[str] = "sort the rows of all lanes by group and value, find values by their places in each group"

    @property
    def kind(self) -> str:
        raise ProgramError("owners search for ranks; they sort nothing")

    def type(self, column: ColumnInfo, rows: int, cells: int) -> ValueType:
        raise ProgramError("owners search for ranks; they sort nothing")

    def of_shares(self, builder: Builder, parts: Sequence[Value], rows: Rows) -> Value:
        raise ProgramError("values are in order within groups where rows are grouped")

    def of_lane(self, build: LaneBuild, base: SecretRows, where: Of | None, by: tuple[GroupKey, ...]) -> Value:
        """Of the rows of one lane. Errors: `BoundError` naming the keys where they do not fit a word together."""
        builder = build.builder
        if _many(base, by):
            keys = [key_of_shares(base, key.of) for key in by]
            parts = [part.placed(self.column, word_of_no_key(keys)) for part in keyed(build, base, keys, where)]
        else:
            parts = placed_shares(build, base, self.column, where, by)
        tables = [_beside(builder, chosen, place) for chosen, place in parts]
        return tables[0] if len(tables) == 1 else builder.add(Concatenate(), *tables)

    def taken(self, builder: Builder, rows: Rows, table: Value) -> Mapping[PartialAggregate, Value]:
        """Itself. Errors: `BoundError` naming column and keys where they do not fit."""
        width, wanted = _placed(rows)
        columns = []
        for place, bits in enumerate((width, rows.width(self.column))):
            column = builder.add(Slice(((0, table.type.shape[0], 1), (place, place + 1, 1))), table)
            flat = builder.add(Reshape((table.type.shape[0],)), column)
            columns.append(builder.add(AssumeWidth(bits, 0.0), flat))
        key, value = columns
        if not (ends := ends_of(wanted)):
            return {}
        try:
            return {self: in_order(builder, key, value, ends)}
        except BoundError as error:
            names = ", ".join(words(key.of) for key in rows.by)
            of = words(self.column)
            raise BoundError(f"{self.words}: {of} by {names}: {error}", column=of) from None


def ranks_of(builder: Builder, rows: Rows, table: Value, column: Of) -> RanksByKey:
    """What is found of the order of a column's values in each group."""
    return RanksByKey(builder, table, _placed(rows)[1], rows.width(column))


def typed_values(builder: Builder, rows: Rows, found: Value, column: Of) -> Value:
    """Whole numbers that are values of a column, as such."""
    read = builder.add(Rescale(f), found) if (f := rows.step(column)) else found
    return builder.add(AssumeWidth(rows.width(column), rows.rounding(column)), read)


def by_sorting(rows: Rows) -> bool:
    """Whether the least and largest values of groups are found by sorting rows."""
    return rows.shared and rows.private is None and rows.groups > _FEW


def _many(base: SecretRows, by: Sequence[GroupKey]) -> bool:
    return sorted_cells(base, by, math.prod(key.size for key in by))


def _placed(rows: Rows) -> tuple[int, Sequence[int | None]]:
    """The width of the words that say of which group a row is, and the word of each group; None: no row has it."""
    base = rows.base if isinstance(rows, SelectedRows) else rows
    if not isinstance(base, SecretRows):
        raise ProgramError("rows are in order within groups where they are shares")
    if _many(base, rows.by):
        keys = [key_of_shares(base, key.of) for key in rows.by]
        return word_of_no_key(keys).bit_length() + 1, list(wanted_words(base, keys, rows.by))
    groups = groups_of(base, SecretPartition("", "", 0, 0, 1), rows.by)
    return groups.size.bit_length() + 1, groups.slots


def _beside(builder: Builder, chosen: ChosenShares, place: Value) -> Value:
    """The place of each row and its value (rows, 2)."""
    value = chosen.of.value
    whole = builder.add(Rescale(-value.type.f), value) if value.type.f else value
    columns = [builder.add(Reshape((column.type.count, 1)), column) for column in (place, whole)]
    return builder.add(Concatenate(axis=1), *columns)
