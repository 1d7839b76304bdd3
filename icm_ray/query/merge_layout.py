"""What owners bring to a merge: a row of words for each key, of both sides' aggregates, in an order for sorting."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import msgspec

from icm_ray.errors import ColumnError, InputError, ProgramError
from icm_ray.ops.linear import (
    Concatenate,
    Pad,
    Slice,
)
from icm_ray.ops.sorting import tag_bits
from icm_ray.ops.values import FULL_WIDTH, ValueType, log2_ceil
from icm_ray.program.build import Builder, Value
from icm_ray.query.expressions.tree import EVERY_ROW, Of
from icm_ray.query.expressions.typing import resolved
from icm_ray.query.lane_build import LaneBuild
from icm_ray.query.merge_sides import Sides
from icm_ray.query.owner_rows import OwnerRows
from icm_ray.query.partials import Join, PartialAggregate
from icm_ray.query.private_groups import tables
from icm_ray.query.private_keys import CHECK, STEP, PrivateKeys, key_widths, ring_limbs, word_widths
from icm_ray.query.rows import column_of
from icm_ray.query.selection import SelectedRows
from icm_ray.query.statistics.count import ValuesOfColumn
from icm_ray.query.statistics.group_keys import WordOfGroup
from icm_ray.query.tasks import Aggregate, ColumnInfo, GroupRows, PrivateKey, RowOrder

__all__ = [
    "ALL_ROWS",
    "OFFERED",
    "WIDENED",
    "Aggregated",
    "Layout",
    "MatchedRight",
    "brought",
    "counts_width",
    "held_of",
    "layout",
]

WIDENED, _MOST_BITS, _UPPER_BITS = 63, 62, 40
_MOST_TABLES = 1 << 16
_CHANCE = 20
"""-log2 of the chance that two keys of a merge have one hash, at the most."""
ALL_ROWS = ValuesOfColumn(EVERY_ROW)
OFFERED = (
    "merged rows have count, sum, mean, var, std, sem, min and max; ask for others of each frame's own rows, or share "
    "both frames before the merge"
)


@dataclass(frozen=True, slots=True)
class MatchedRight(PartialAggregate):
    """The number of right rows that some left row meets, of a merge."""

    words: ClassVar[str] = "number of right rows met"
    rule: ClassVar[Join] = Join.ROWS

    @property
    def kind(self) -> str:
        return "matched"

    def type(self, column: ColumnInfo, rows: int, cells: int) -> ValueType:
        raise ProgramError("which right rows are met nobody brings")

    def of_shares(self, builder: Builder, parts: Sequence[Value], rows: object) -> Value:
        raise ProgramError("which right rows are met nobody brings")


@dataclass(frozen=True, slots=True)
class Aggregated:
    """What owners of a side aggregate: `part` of those rows where a condition is true."""

    right: bool
    where: Of | None
    part: PartialAggregate


def private_of(side: SelectedRows) -> PrivateKeys:
    """The keys of a side. Errors: `InputError` where there are none."""
    if side.private is None:
        raise InputError("rows are merged on private keys")
    return side.private


def held_of(side: SelectedRows) -> OwnerRows:
    """The owners' rows of a side. Errors: `ColumnError` (shares)."""
    if isinstance(side.base, OwnerRows):
        return side.base
    raise ColumnError("shared frames are merged with shared ones: share both before, or none")


@dataclass(frozen=True)
class Layout:
    """What the rows of both sides' tables hold, for these partials."""

    sides: Sides
    partials: tuple[PartialAggregate, ...]

    def _floats(self, column: Aggregated) -> bool:
        return column_of(self.sides.of(right=column.right).base, column.part.column).kind == "float"

    def own(self, part: PartialAggregate) -> tuple[bool, PartialAggregate]:
        """Whether a partial is of the right side, and what it is there. Errors: `InputError` (not offered)."""
        right, of = self.sides.own(part.column)
        if part.kind not in {"count", "sum", "squares", "min", "max"} or part.by or part.times is not None:
            raise InputError(OFFERED)
        return right, dataclasses.replace(part, column=of)

    @cached_property
    def columns(self) -> tuple[Aggregated, ...]:
        """All that owners aggregate, the left side's first; its numbers of rows and the right side's before others."""
        asked: dict[Aggregated, None] = {
            Aggregated(False, None, ALL_ROWS): None,
            Aggregated(True, None, ALL_ROWS): None,
        }
        for part in self.partials:
            if isinstance(part, MatchedRight | WordOfGroup):
                continue
            right, own = self.own(part)
            for term in self.sides.terms:
                asked[Aggregated(False, term.left, ALL_ROWS if right else own)] = None
                asked[Aggregated(True, term.right, own if right else ALL_ROWS)] = None
                if own.kind in {"min", "max"}:
                    asked[Aggregated(False, term.left, ALL_ROWS)] = None
                    asked[Aggregated(True, term.right, ALL_ROWS)] = None
            if not right:
                for where in self.sides.alone:
                    asked[Aggregated(False, where, own)] = None
                    asked[Aggregated(False, where, ALL_ROWS)] = None
        return tuple(sorted(asked, key=lambda column: column.right))

    def words(self, column: Aggregated) -> tuple[int, ...]:
        """The widths of its words."""
        return word_widths(column.part.kind, floats=self._floats(column), limb=self.limb)

    def f(self, column: Aggregated) -> int:
        """Fractional bits of the number that they make."""
        return STEP * (2 if column.part.kind == "squares" else 1) * self._floats(column)

    def limbs(self, column: Aggregated) -> int:
        """Of the wide ring in which that is put together."""
        return ring_limbs(floats=self._floats(column))

    # --- sizes

    def tables_of(self, *, right: bool) -> list[tuple[str, int, tuple[int, ...], int]]:
        side = self.sides.of(right=right)
        return list(tables(held_of(side), private_of(side).most))

    @cached_property
    def rows(self) -> int:
        """Of all tables. Errors: `InputError` (none, or too many tables)."""
        sizes = [rows for right in (False, True) for *_, rows in self.tables_of(right=right)]
        if not 1 <= len(sizes) <= _MOST_TABLES:
            raise InputError("there are no rows to merge")
        return sum(sizes)

    @cached_property
    def run(self) -> int:
        """The most rows of one key, where a key is once on the right side."""
        left, right = (len(self.tables_of(right=side)) for side in (False, True))
        return min(left * max(self.sides.count_of(right=False), 1) + right, self.rows)

    @cached_property
    def limb(self) -> int:
        """Bits of the words of sums: their sum over all pairs of rows is far from 64 bits."""
        taken = log2_ceil(self.sides.left.count + 1) + log2_ceil(self.rows)
        if self.sides.merge.many:
            taken = log2_ceil(self.sides.left.count + 1) + log2_ceil(self.sides.right.count + 1) + self.grown
        return max(8, min(24, WIDENED - 1 - taken))

    @cached_property
    def grown(self) -> int:
        """log2 of the most rows of one key on the right side, one of each table."""
        return log2_ceil(len(self.tables_of(right=True))) if self.sides.merge.many else 0

    @cached_property
    def order(self) -> RowOrder:
        """By what rows are sorted: of the left table of number 0. Errors: `InputError` (too many groups)."""
        most = max(len(self.tables_of(right=side)) for side in (False, True))
        made = RowOrder(
            bits=1,
            slots=(max(self.sides.count_of(right=False), 1)).bit_length(),
            members=(most - 1).bit_length(),
            hashed=True,
            right=False,
            member=0,
            start=0,
        )
        room = _MOST_BITS - made.key
        keys = private_of(self.sides.left).keys
        whole = keys[0].size + 2
        if len(keys) == 1 and keys[0].kind != "string" and ((1 << whole) + self.rows).bit_length() <= room:
            return msgspec.structs.replace(made, bits=whole, hashed=False)
        left, right = (sum(rows for *_, rows in self.tables_of(right=side)) for side in (False, True))
        needed = log2_ceil(left * right + right * right // 2 + 1) + _CHANCE  # of pairs that would be taken for one key
        upper, tags = 0, tag_bits(self.rows)
        if needed > room:
            upper, room = min(_UPPER_BITS, FULL_WIDTH - 3 - tags), _MOST_BITS - tags - made.key
        if needed > upper + room or room < 1:
            raise InputError("too many tables and groups for a merge: fewer partitions, or values to group by")
        check = min(CHECK, FULL_WIDTH - 3 - self.grown - log2_ceil(self.rows))
        return msgspec.structs.replace(made, bits=room, upper=upper, check=check)

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """Of all words of a row: its order, in one word or two, another hash, then the left side's, then the right
        side's, and of right rows the other hash once more, so that it travels with these.
        """
        order = self.order
        first = (order.pad + (0 if order.upper else self.rows) - 1).bit_length() + order.key + 1
        upper = [order.upper + 2] if order.upper else []
        check = [order.check + 1] if order.hashed else []
        return (first, *upper, *check, *self.block(right=False), *self.block(right=True), *check)

    def block(self, *, right: bool) -> list[int]:
        """The widths of a side's words: the number of its cell, where there are any, what rows are grouped by
        privately, then what is aggregated.
        """
        cells = [self.sides.count_of(right=right).bit_length() + 1] if self.sides.cells_of(right=right) else []
        mine = [column for column in self.columns if column.right is right]
        return cells + (self.private if right else []) + [width for column in mine for width in self.words(column)]

    @cached_property
    def private(self) -> list[int]:
        """The widths of the words by which merged rows are grouped, the first of a right side's words."""
        return [width for key in self.sides.private for width in key_widths(key)]

    @property
    def first(self) -> int:
        """Words before both sides'."""
        return 1 + (self.order.upper > 0) + self.order.hashed

    def place(self, column: Aggregated) -> int:
        """Where its words begin in its side's."""
        at = int(bool(self.sides.cells_of(right=column.right))) + len(self.private) * column.right
        for other in self.columns:
            if other == column:
                return at
            if other.right is column.right:
                at += len(self.words(other))
        raise ProgramError("what nobody aggregates")


def layout(sides: Sides, partials: Sequence[PartialAggregate]) -> Layout:
    """Of what is asked."""
    return Layout(sides, tuple(partials))


def brought(build: LaneBuild, of: Layout) -> Iterator[Value]:
    """What the owners whose rows are in a lane share, each with zeros in the other side's words."""
    start = 0
    for right in (False, True):
        for member, (name, lane, parts, rows) in enumerate(of.tables_of(right=right)):
            if lane == build.lane:
                value = _table(build, of, name, parts, rows, right=right, member=member, start=start)
                yield (_right_rows if right else _left_rows)(build, of, value)
            start += rows


def _left_rows(build: LaneBuild, of: Layout, table: Value) -> Value:
    return build.builder.add(Pad(((0, 0), (0, len(of.widths) - table.type.shape[1]))), table)


def _right_rows(build: LaneBuild, of: Layout, table: Value) -> Value:
    add, (rows, words) = build.builder.add, table.type.shape
    first, own = (add(Slice(((0, rows, 1), (*part, 1))), table) for part in ((0, of.first), (of.first, words)))
    columns = [first, add(Pad(((0, 0), (len(of.block(right=False)), 0))), own)]
    if of.order.hashed:
        columns.append(add(Slice(((0, rows, 1), (of.first - 1, of.first, 1))), table))
    return add(Concatenate(axis=1), *columns)


def _table(
    build: LaneBuild, of: Layout, name: str, parts: tuple[int, ...], rows: int, *, right: bool, member: int, start: int
) -> Value:
    side = of.sides.of(right=right)
    base = held_of(side)

    def read(what: Of) -> Of:
        return resolved(what, lambda column: column_of(base, column))

    def chosen(what: Of | None) -> Of | None:
        return None if what is None else read(what)

    values = []
    for column in of.columns:
        if column.right is right:
            info = column_of(base, column.part.column)
            values.append(
                Aggregate(
                    name, read(column.part.column), parts, column.part.kind, (), info.kind, chosen(column.where),
                    nullable=info.nullable,
                )
            )  # fmt: skip
    cells = tuple(msgspec.structs.replace(key, of=read(key.of)) for key in of.sides.cells_of(right=right))
    by = tuple(PrivateKey(read(key.of), key.kind, key.size) for key in of.sides.private) if right else ()
    order = msgspec.structs.replace(of.order, right=right, member=member, start=start, cells=cells, by=by)
    keys = tuple(PrivateKey(read(key.of), key.kind, key.size) for key in private_of(side).keys)
    task = GroupRows(name, parts, keys, rows, tuple(values), chosen(side.where), of.limb, order)
    widths = (*of.widths[: of.first], *of.block(right=right))
    kind = ValueType(shape=(rows, len(widths)), width=max(widths))
    owner = next(held.owner for held in base.tables if held.name == name)
    title = f"{'right' if right else 'left'} rows by {column_of(base, keys[0].of).name}"
    return build.bring(owner, title, task, kind, base.behind(name, parts))


def counts_width(most: int) -> int:
    """The width of counts, none of them beyond `most`."""
    return log2_ceil(most + 1) + 1
