"""The sides of a merge of shares: what lanes bring of them, and what the columns of the merged rows are then.

A row is words, whole numbers: the words of its key, then of a left row whether it is meant, where not all are, and the
number of its group, where right rows that are met are counted; then the columns that are asked for, each with a bit
beside it that says whether there is a value, where one may be missing. Rows stand lane by lane, left ones first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from icm_ray.errors import ProgramError
from icm_ray.ops.forms import Elementwise
from icm_ray.ops.linear import Add, AssumeWidth, Concatenate, Pad, Rescale, Reshape, RunningSum, Slice, Subtract
from icm_ray.ops.products import Product
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder, Value
from icm_ray.query.expressions.tree import Of
from icm_ray.query.lane_build import LaneBuild
from icm_ray.query.merge_keys import MergeKeys
from icm_ray.query.merge_sides import JoinedColumn, Sides
from icm_ray.query.rows import column_of
from icm_ray.query.secret_cells import MOST_GROUPS, PartitionShares, partitions_of
from icm_ray.query.secret_expressions.operand import RowBuild, Secret
from icm_ray.query.secret_rows import BIT, SecretRows
from icm_ray.query.sorted_merge import merged_sides

__all__ = ["FIRST", "MEANT", "SharedSides", "base_of"]

MEANT: Final = "rows that are merged"
"""The column of bits that says which merged rows are meant."""
_BIT: Final = BIT.type(1)
_GROUP: Final = ValueType(shape=(), width=(MOST_GROUPS + 1).bit_length() + 1)
FIRST: Final = "right rows that are met"
"""The column of bits that says which rows are the first of their group to meet a right row."""


def base_of(sides: Sides, *, right: bool) -> SecretRows:
    """The shares of a side. Errors: `ProgramError` (its owners hold it)."""
    base = sides.of(right=right).base
    if not isinstance(base, SecretRows):
        raise ProgramError("a side of merged shares is held by its owners")
    return base


@dataclass(frozen=True)
class SharedSides:
    """Both sides, whose keys these are. read: the columns that are asked for. met: whether right rows that are met are
    counted, in groups of the left side.
    """

    sides: Sides
    keys: MergeKeys
    read: tuple[JoinedColumn, ...]
    met: bool

    def _where(self, *, right: bool) -> Of | None:
        return self.sides.of(right=right).where

    def _base(self, *, right: bool) -> SecretRows:
        return base_of(self.sides, right=right)

    def _read(self, *, right: bool) -> Iterator[JoinedColumn]:
        return (column for column in self.read if column.right is right)

    def _nullable(self, column: JoinedColumn) -> bool:
        """Whether values of its side may be missing."""
        return column_of(self._base(right=column.right), column.of).nullable

    def _words(self, *, right: bool) -> int:
        """Of a side's rows."""
        found = len(self.keys.widths)
        if not right:
            found += (self._where(right=False) is not None) + self.met
        return found + sum(1 + self._nullable(column) for column in self._read(right=right))

    # --- in every lane

    def brought(self, build: LaneBuild) -> Value:
        """The rows (rows, words) of one lane."""
        add, most = build.builder.add, max(self._words(right=right) for right in (False, True))
        tables = []
        for right in (False, True):
            for part in partitions_of(build, self._base(right=right)):
                columns = [_column(build.builder, word) for word in self._of(build.builder, part, right=right)]
                table = columns[0] if len(columns) == 1 else add(Concatenate(axis=1), *columns)
                tables.append(add(Pad(((0, 0), (0, most - len(columns)))), table) if len(columns) < most else table)
        return tables[0] if len(tables) == 1 else add(Concatenate(), *tables)

    def _of(self, builder: Builder, part: PartitionShares, *, right: bool) -> Iterator[Value]:
        """The words of a partition's rows, each (rows,)."""
        first, *others = self.keys.of(part, right=right)
        where = self._where(right=right)
        yield self._beyond(builder, part, first, where) if right and where is not None else first
        yield from others
        if not right and where is not None:
            yield part.mask(where)
        if not right and self.met:
            rows, by = part.row_build(), self.sides.cells_of(right=False)
            yield rows.plus(part.groups(None, by).number, 1) if by else rows.constant(1)
        for column in self._read(right=right):
            found = part.secret(column.of)
            yield found.value
            if self._nullable(column):
                rows = part.row_build(column.of)
                yield rows.bit(rows.constant(1)) if found.there is None else found.there

    def _beyond(self, builder: Builder, part: PartitionShares, word: Value, where: Of) -> Value:
        """The first word of keys, of rows that are not meant one beyond all, each its own."""
        rows, before = part.row_build(where), 0
        for other in self._base(right=True).partitions:
            if other == part.partition:
                break
            before += other.rows
        number = builder.add(RunningSum(), rows.constant(1))
        own = rows.plus(number, self.keys.no_key + before - 1)
        kept = builder.add(Product(Elementwise()), part.mask(where), builder.add(Subtract(), word, own))
        return builder.add(AssumeWidth(self.keys.widths[0], 0.0), builder.add(Add(), kept, own))

    # --- in the lane where rows meet

    def columns(self, builder: Builder, value: Value) -> Mapping[str, Secret]:
        """By name the columns of the merged rows (left rows,), from what all lanes brought."""
        left, right = (self._side(builder, value, right=side) for side in (False, True))
        rows, keys = left.type.shape[0], len(self.keys.widths)
        group = None
        if self.met:
            group = builder.add(Reshape((rows, 1)), _typed(builder, left, keys + self._masked, _GROUP))
        made = merged_sides(builder, _columns(builder, left, 0, keys), right, self.keys.widths, group)
        met = meant = _flat(builder, made.met)
        write = RowBuild(builder, met)
        if self._masked:
            mask = _typed(builder, left, keys, _BIT)
            meant = mask if self.sides.merge.how == "left" else write.times(met, mask)
        found = {MEANT: Secret("bool", meant)}
        if made.first is not None:
            found[FIRST] = Secret("bool", _flat(builder, made.first))
        found.update(self._left(builder, left))
        found.update(self._right(write, made.words, met))
        return found

    @property
    def _masked(self) -> bool:
        """Whether not all left rows are meant."""
        return self._where(right=False) is not None

    def _left(self, builder: Builder, table: Value) -> Iterator[tuple[str, Secret]]:
        at = len(self.keys.widths) + self._masked + self.met
        for column in self._read(right=False):
            yield column.name, self._secret(builder, table, at, column, 0 if isinstance(column.of, str) else None)
            at += 1 + self._nullable(column)

    def _right(self, write: RowBuild, words: Value, met: Value) -> Iterator[tuple[str, Secret]]:
        at, lacks = 0, self.sides.merge.how == "left"
        for column in self._read(right=True):
            found = self._secret(write.builder, words, at, column, None)
            yield column.name, replace(found, there=write.both(met, found.there)) if lacks else found
            at += 1 + self._nullable(column)

    def _secret(self, builder: Builder, table: Value, at: int, column: JoinedColumn, blank: int | None) -> Secret:
        base = self._base(right=column.right)
        value = _typed(builder, table, at, base.type_of(column.of))
        there = _typed(builder, table, at + 1, _BIT) if self._nullable(column) else None
        kind, texts = column_of(base, column.of).kind, base.texts(column.of)
        return Secret(kind, value, there, blank, texts, base.grid(column.of))

    def _side(self, builder: Builder, value: Value, *, right: bool) -> Value:
        """A side's rows."""
        parts, at, words = [], 0, self._words(right=right)
        for lane in sorted(self.sides.left.lanes | self.sides.right.lanes):
            for side in (False, True):
                rows = self._base(right=side).rows_of_lane(lane)
                if rows and side is right:
                    parts.append(builder.add(Slice(((at, at + rows, 1), (0, words, 1))), value))
                at += rows
        return parts[0] if len(parts) == 1 else builder.add(Concatenate(), *parts)


def _column(builder: Builder, word: Value) -> Value:
    """(rows, 1), as whole numbers."""
    whole = builder.add(Rescale(-word.type.f), word) if word.type.f else word
    return builder.add(Reshape((whole.type.count, 1)), whole)


def _columns(builder: Builder, table: Value, start: int, stop: int) -> Value:
    return builder.add(Slice(((0, table.type.shape[0], 1), (start, stop, 1))), table)


def _flat(builder: Builder, column: Value) -> Value:
    return builder.add(Reshape((column.type.count,)), column)


def _typed(builder: Builder, table: Value, place: int, kind: ValueType) -> Value:
    """A word of each row (rows,), as what it is."""
    value = _flat(builder, _columns(builder, table, place, place + 1))
    value = builder.add(Rescale(kind.f), value) if kind.f else value
    return builder.add(AssumeWidth(kind.width, kind.error), value)
