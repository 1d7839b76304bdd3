"""Tables of owners merged on private keys, the aggregation fused into it: no key is opened, nor which rows matched.

Each side's owners aggregate their own rows by key in the clear: the number of rows n, and sums. On shares the tables
of both sides are sorted by key and added up (`KeyedTables`); at the last row of each key are n_l, n_r and all sums.
Where keys of the right side are unique, n_r is 0 or 1: a flag of all [n_r >= 2] is opened, and has to be 0. Then

    inner:  w = last n_r, v = last n_l      left: w = last, v = last n_l
    number of rows = sum of w n_l     of a left column: sum of w s_l     of a right column: sum of v s_r

over all rows, for every left row of a key meets the same right row. These are partial aggregates like any others.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

import msgspec

from icm_ray.errors import ColumnError, InputError, ProgramError
from icm_ray.ops.compare import AtLeast, CheckFlag
from icm_ray.ops.forms import Elementwise
from icm_ray.ops.labels import Labels, merged
from icm_ray.ops.linear import AssumeWidth, Concatenate, Pad, Slice
from icm_ray.ops.linear import Sum as Total
from icm_ray.ops.products import Product
from icm_ray.ops.values import ValueType, log2_ceil
from icm_ray.policy import OPERATIONS, Policy
from icm_ray.program.build import Builder, Value
from icm_ray.program.derived_name import derived_name
from icm_ray.query.expressions.tree import EVERY_ROW, Of
from icm_ray.query.keyed_tables import KeyedTables
from icm_ray.query.lane_build import LaneBuild
from icm_ray.query.owner_rows import OwnerRows
from icm_ray.query.partials import Join, PartialAggregate, join
from icm_ray.query.private_groups import GroupTable, brought, table_widths, tables
from icm_ray.query.private_keys import STEP, PrivateKeys, key_widths, ring_limbs, word_widths
from icm_ray.query.rows import column_of
from icm_ray.query.selection import SelectedRows, Selection
from icm_ray.query.tasks import ColumnInfo, GroupKey

__all__ = ["JoinedColumn", "MatchedRight", "Merge", "MergedRows"]

_WIDENED = 63
_MOST_TABLES = 1 << 16


class JoinedColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A column of the merged rows: of which side, and what it is there."""

    name: str
    of: Of
    right: bool = False


class Merge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The rows of two selections, each with private keys, as many and of the same kinds. how: as pandas has it."""

    left: Selection
    right: Selection
    how: Literal["inner", "left"]
    columns: tuple[JoinedColumn, ...]

    @property
    def name(self) -> str:
        """Under which statistics speak of it: equal merges have one."""
        return derived_name("merge", self)


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


@dataclass(frozen=True)
class MergedRows:
    """A merge, and the rows that it is of; a set of rows of which nobody knows which they are.

    Errors, when it is made: `InputError` for keys that do not fit together or may be missing, `ColumnError` for a
    column that one of the sides does not have, or for a side that is shared.
    """

    merge: Merge
    left: SelectedRows
    right: SelectedRows

    def __post_init__(self) -> None:
        (left, right) = (side.private for side in (self.left, self.right))
        if left is None or right is None:
            raise InputError("rows are merged on private keys")
        if [(key.kind, key.size) for key in left.keys] != [(key.kind, key.size) for key in right.keys]:
            raise InputError("keys of a merge are of one kind and one bound on both sides")
        for side, private in ((self.left, left), (self.right, right)):
            for key in private.keys:
                info = column_of(side.base, key.of)
                if info.nullable:
                    raise InputError(f"{info.name}: keys to merge on may not be missing: fill them, fillna(...)")
        for column in self.merge.columns:
            column_of(self._side(right=column.right).base, column.of)
        if len({column.name for column in self.merge.columns}) != len(self.merge.columns):
            raise ColumnError("merged rows have two columns of one name")

    def _side(self, *, right: bool) -> SelectedRows:
        return self.right if right else self.left

    @cached_property
    def name(self) -> str:
        return self.merge.name

    @cached_property
    def policy(self) -> Policy | None:
        return _strictest(self.left.policy, self.right.policy)

    @property
    def source(self) -> str:
        return self.left.source

    @cached_property
    def columns(self) -> tuple[ColumnInfo, ...]:
        found = []
        for column in self.merge.columns:
            info = column_of(self._side(right=column.right).base, column.of)
            missing = info.nullable or (column.right and self.merge.how == "left")
            found.append(ColumnInfo(column.name, info.kind, nullable=missing))
        return tuple(found)

    @property
    def count(self) -> int:
        return self.left.count

    @property
    def where(self) -> None:
        return None

    @property
    def by(self) -> tuple[GroupKey, ...]:
        return ()

    @property
    def private(self) -> PrivateKeys | None:
        return self.left.private

    @property
    def groups(self) -> int:
        return 0

    @property
    def owners(self) -> Mapping[str, int]:
        return self.left.owners

    @property
    def shared(self) -> bool:
        return False

    @property
    def lanes(self) -> frozenset[int]:
        return self.left.lanes | self.right.lanes

    def labels(self, lane: int) -> Labels:
        """Of the rows of both sides."""
        sides = [side for side in (self.left, self.right) if lane in side.lanes]
        return merged(label for side in sides for label in side.labels(lane))

    @property
    def kept(self) -> Sequence[str]:
        return (*self.left.kept, *self.right.kept)

    def rounding(self, column: Of) -> float:
        """As of groups of private keys."""
        return 2.0**-STEP if column_of(self, column).kind == "float" else 0.0

    def one_word(self, column: Of) -> bool:
        return False

    def width(self, column: Of) -> int:
        return 0

    def step(self, column: Of) -> int:
        return -1

    def behind(self, of: Of) -> tuple[SelectedRows, Of]:
        """The side of a column, and what it is there. Errors: `ColumnError` (another expression than a name)."""
        if of == EVERY_ROW:
            return self.left, of
        for column in self.merge.columns:
            if column.name == of:
                return self._side(right=column.right), column.of
        raise ColumnError("columns of merged rows are not computed with: do that before the merge")

    def _is_right(self, of: Of) -> bool:
        return any(column.name == of and column.right for column in self.merge.columns)

    def _tables(self, table: GroupTable) -> tuple[GroupTable, GroupTable]:
        """What the owners of each side bring."""
        parts: tuple[list[PartialAggregate], list[PartialAggregate]] = ([], [])
        for part in table.partials:
            if isinstance(part, MatchedRight):
                continue
            if part.kind not in {"count", "sum", "squares"}:
                raise InputError(f"{part.words} is not offered of merged rows: count, sum, mean, var and std are")
            parts[self._is_right(part.column)].append(dataclasses.replace(part, column=self.behind(part.column)[1]))
        left, right = (
            GroupTable(_private(side).keys[0].of, tuple(dict.fromkeys(some)))
            for side, some in zip((self.left, self.right), parts, strict=True)
        )
        return left, right

    @cached_property
    def _rows(self) -> tuple[int, int]:
        """Rows of all tables, and how many tables there are."""
        sizes = [rows for side in (self.left, self.right) for *_, rows in tables(_held(side), _private(side).most)]
        if not 1 <= len(sizes) <= _MOST_TABLES:
            raise InputError("there are no rows to merge")
        return sum(sizes), len(sizes)

    @property
    def limb(self) -> int:
        """Bits of the words of sums: their sum over all pairs of rows is far from 64 bits."""
        rows, times = self._rows
        taken = log2_ceil(self.left.count + 1) + log2_ceil(rows) + log2_ceil(times)
        return max(8, min(24, _WIDENED - 1 - taken))

    def partial(self, build: LaneBuild, partial: PartialAggregate) -> Value:
        """What the rows of one lane contribute: tables of both sides, each with zeros in the other's columns."""
        if not isinstance(partial, GroupTable):
            raise ProgramError("merged rows are aggregated all at once")
        of_left, of_right = self._tables(partial)
        add, values = build.builder.add, []
        for side, own, other in ((self.left, of_left, of_right), (self.right, of_right, of_left)):
            private = _private(side)
            keys = sum(len(key_widths(key)) for key in private.keys)
            foreign = self.right if side is self.left else self.left
            zeros = len(table_widths(_private(foreign), other, foreign.base, self.limb)) - keys
            for value in brought(build, _held(side), side.where, private, own, self.limb):
                if side is self.left:
                    values.append(add(Pad(((0, 0), (0, zeros))), value))
                    continue
                rows, words = value.type.shape
                first = add(Slice(((0, rows, 1), (0, keys, 1))), value)
                rest = add(Slice(((0, rows, 1), (keys, words, 1))), value)
                values.append(add(Concatenate(axis=1), first, add(Pad(((0, 0), (zeros, 0))), rest)))
        return join(build.builder, partial.rule, values)

    def merged(self, builder: Builder, table: GroupTable, value: Value) -> Mapping[PartialAggregate, Value]:
        """Each partial, from what all lanes contribute."""
        of_left, of_right = self._tables(table)
        return _Joined(builder, self, of_left, of_right).values(table, value)


def _private(side: SelectedRows) -> PrivateKeys:
    if side.private is None:
        raise InputError("rows are merged on private keys")
    return side.private


def _held(side: SelectedRows) -> OwnerRows:
    if isinstance(side.base, OwnerRows):
        return side.base
    raise ColumnError("shared frames are not merged yet: do that before .share()")


def _strictest(one: Policy | None, other: Policy | None) -> Policy | None:
    """What both allow."""
    if one is None or other is None:
        return one or other
    operations = None
    if one.operations is not None or other.operations is not None:
        operations = tuple(name for name in OPERATIONS if not (one.forbids(name) or other.forbids(name)))
    recipients = one.recipients if other.recipients is None else other.recipients
    if one.recipients is not None and other.recipients is not None:
        recipients = tuple(name for name in one.recipients if name in other.recipients)
    return Policy(
        min_rows=max(one.min_rows, other.min_rows),
        recipients=recipients,
        operations=operations,
        hide_zeros=one.hide_zeros or other.hide_zeros,
        residual_df=max(one.residual_df, other.residual_df),
        rows_per_bin=max(one.rows_per_bin, other.rows_per_bin),
    )


class _Joined(KeyedTables):
    def __init__(self, builder: Builder, rows: MergedRows, left: GroupTable, right: GroupTable) -> None:
        self._of, self._left, self._right = rows, left, right
        of_left = table_widths(_private(rows.left), left, rows.left.base, rows.limb)
        of_right = table_widths(_private(rows.right), right, rows.right.base, rows.limb)
        keys = sum(len(key_widths(key)) for key in _private(rows.left).keys)
        super().__init__(builder, (*of_left, *of_right[keys:]), keys, 0, rows._rows[1], rows._rows[0])
        self._split = len(of_left)

    def values(self, asked: GroupTable, table: Value) -> Mapping[PartialAggregate, Value]:
        """By partial, as statistics ask for it."""
        last, added, _ = self._scanned(self._sorted(table))
        table = self._checked(self._beside(self._columns(table, slice(0, self._keys)), added), last)
        lefts = self._narrow(table, self._keys, self._of.left.count)
        v = self._bit_times(last, lefts, lefts.type.width)
        w = last
        met = self._bit_times(last, self._narrow(table, self._split, 1), 2)
        if self._of.merge.how == "inner":
            w = met
        found: dict[PartialAggregate, Value] = {}
        for part in asked.partials:
            if isinstance(part, MatchedRight):
                there = self._add(AtLeast(1, v.type.width + 1), v)
                found[part] = self._add(Total(), self._bit_times(there, met, 2))
                continue
            right = self._of._is_right(part.column)
            own = dataclasses.replace(part, column=self._of.behind(part.column)[1])
            found[part] = self._weighted(table, own, v if right else w, right=right)
        return found

    def _narrow(self, table: Value, place: int, most: int) -> Value:
        """A column of counts, none of them beyond `most`."""
        return self._add(AssumeWidth(log2_ceil(most + 1) + 1), self._column(table, place))

    def _bit_times(self, bits: Value, values: Value, width: int) -> Value:
        return self._add(AssumeWidth(width), self._add(Product(Elementwise()), bits, values))

    def _checked(self, table: Value, last: Value) -> Value:
        """The table, once it is known that no key is twice on the right side."""
        counts = self._bit_times(last, self._column(table, self._split), self._widths[self._split])
        twice = self._add(Total(), self._add(AtLeast(2, counts.type.width + 2), counts))
        flag = self._add(AtLeast(1, twice.type.width + 1), twice)
        return self._add(CheckFlag("one row for each key of the right side of a merge"), table, flag)

    def _weighted(self, table: Value, part: PartialAggregate, weights: Value, *, right: bool) -> Value:
        """The sum over all rows of what a side's owners aggregated, times its weight."""
        groups, side = (self._right, self._of.right) if right else (self._left, self._of.left)
        floats, limb = column_of(side.base, part.column).kind == "float", self._of.limb
        place = self._split if right else self._keys
        for other in groups.aggregates:
            if other == part:
                break
            place += len(word_widths(other.kind, floats=column_of(side.base, other.column).kind == "float", limb=limb))
        if part.kind == "count":
            return self._total(weights, self._narrow(table, place, 1 if right else side.count))
        grown = log2_ceil(self._tables)
        places = range(place, place + len(word_widths(part.kind, floats=floats, limb=limb)))
        words = [self._total(weights, self._column(table, at, grown)) for at in places]
        f = STEP * (2 if part.kind == "squares" else 1) * floats
        return self._wide(words, f, ring_limbs(floats=floats), limb)

    def _total(self, weights: Value, column: Value) -> Value:
        return self._add(Total(), self._add(Product(Elementwise()), weights, column))
