"""Merged rows of which both sides are shares: left rows in their order, with what their right rows have beside them.

They are rows that are shares in one lane, where lanes bring what is asked of either side (`sorted_merge`); every
statistic, condition and group of shared rows is asked of them as of others. Rows that are meant are a column of bits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Final

import msgspec

from icm_ray.errors import BoundError, InputError, ProgramError
from icm_ray.ops.linear import Load
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder, Value
from icm_ray.program.derived_name import derived_name
from icm_ray.query.expressions.tree import EVERY_ROW, Of, columns_of
from icm_ray.query.expressions.words import words
from icm_ray.query.lane_build import LaneBuild
from icm_ray.query.merge import MergedRows
from icm_ray.query.merge_keys import MergeKeys
from icm_ray.query.merge_layout import MatchedRight
from icm_ray.query.merge_sides import JoinedColumn, Merge
from icm_ray.query.merged_columns import FIRST, MEANT, SharedSides, base_of
from icm_ray.query.owner_rows import OwnerRows
from icm_ray.query.partials import Join, PartialAggregate
from icm_ray.query.private_groups import keyed_groups
from icm_ray.query.private_keys import PrivateKeys
from icm_ray.query.rows import Rows, column_of
from icm_ray.query.secret_expressions.operand import Secret
from icm_ray.query.secret_groups import cell_sums
from icm_ray.query.secret_rows import BIT, Encoding, SecretPartition, SecretRows
from icm_ray.query.selection import SelectedRows, Selection
from icm_ray.query.statistics.base import StatisticFaces
from icm_ray.query.statistics.group_keys import GroupKeys, WordOfGroup
from icm_ray.query.statistics.sum import SumOfColumn
from icm_ray.query.tasks import ColumnInfo, GroupKey

__all__ = ["MergedShares", "SidesOfMerge", "rows_of_merge"]

_MOST: Final = 1 << 21


def rows_of_merge(merge: Merge, left: OwnerRows | SecretRows, right: OwnerRows | SecretRows) -> MergedRows:
    """The rows of a merge. left, right: the facts of its sides.

    Errors: those of `SelectedRows`, of `MergedRows` and of `MergedShares`.
    """
    if isinstance(left, SecretRows) and isinstance(right, SecretRows):
        sides = (msgspec.structs.replace(side, private=None) for side in (merge.left, merge.right))
        return MergedShares(merge, *(SelectedRows(side, base) for side, base in zip(sides, (left, right), strict=True)))
    return MergedRows(merge, SelectedRows(merge.left, left), SelectedRows(merge.right, right))


class _Joined(SecretRows, frozen=True, forbid_unknown_fields=True, tag="merged shares"):
    """Left rows with their right rows' columns. types: of the columns' values. Nobody states them."""

    types: tuple[ValueType, ...] = ()

    def type_of(self, of: Of) -> ValueType:
        if not isinstance(of, str):
            return SecretRows.type_of(self, of)
        self.encoding(of)  # refuses what is no column
        names = [info.name for info in self.columns]
        return self.types[names.index(of)]

    def loaded(self, builder: Builder, partition: SecretPartition, column: str) -> Secret:
        """A column of one row, of which types are inferred: of all rows it is what a merge gives."""
        info, encoding = self._column(column)
        kind = msgspec.structs.replace(self.type_of(column), shape=(partition.rows,))
        value = builder.add(Load(column, kind))
        there = builder.add(Load(f"{column} is there", BIT.type(partition.rows))) if info.nullable else None
        return Secret(info.kind, value, there, None, encoding.domain, encoding.grid(info.kind))


@dataclass(frozen=True, slots=True)
class SidesOfMerge(PartialAggregate):
    """Rows (rows, words) of both sides, of lane by lane: of each side keys, then what is asked of its columns."""

    words: ClassVar[str] = "rows of both sides"
    rule: ClassVar[Join] = Join.ROWS

    partials: tuple[PartialAggregate, ...]

    @property
    def kind(self) -> str:
        return "rows"

    def type(self, column: ColumnInfo, rows: int, cells: int) -> ValueType:
        raise ProgramError("owners bring no rows that are shares")

    def of_shares(self, builder: Builder, parts: Sequence[Value], rows: Rows) -> Value:
        raise ProgramError("rows of both sides are of a merge")


@dataclass(frozen=True)
class MergedShares(MergedRows):
    """A merge, and the shares that it is of.

    Errors, when it is made: those of `MergedRows` and of `MergeKeys`; `InputError` where a key may have several right
    rows, or there are no rows, or too many.
    """

    def __post_init__(self) -> None:
        if self.merge.many:
            raise InputError(
                "shared frames are merged where each key has one row on the right side: swap the frames, or merge "
                "before .share()"
            )
        rows = [self._rows(right=right) for right in (False, True)]
        if min(rows) < 1 or sum(rows) > _MOST:
            raise InputError(
                f"{' and '.join(map(str, rows))} shared rows; some are merged, {_MOST} of both at the most"
            )
        self._check_columns()
        _ = self.keys
        _ = self.selected  # refuses what cannot be
        if self.merge.private is not None:
            self._refuse_private()

    # --- the sides

    def _base(self, *, right: bool) -> SecretRows:
        return base_of(self.sides, right=right)

    def _rows(self, *, right: bool) -> int:
        return sum(partition.rows for partition in self._base(right=right).partitions)

    @cached_property
    def keys(self) -> MergeKeys:
        """What they are merged on. Errors: those of `MergeKeys`."""
        sides = self._base(right=False), self._base(right=True)
        left, right = (self.keys_of(right=side) for side in (False, True))
        if not left or len(left) != len(right):
            raise InputError("rows are merged on keys, as many of both sides")
        rows = self._rows(right=False) + self._rows(right=True)
        beyond = 0 if self.right.where is None else self._rows(right=True)
        return MergeKeys(sides, tuple(zip(left, right, strict=True)), rows, beyond)

    @cached_property
    def _of(self) -> Mapping[str, JoinedColumn]:
        return {column.name: column for column in self.merge.columns}

    # --- the merged rows

    @cached_property
    def joined(self) -> SecretRows:
        """All merged rows as rows that are shares, whatever is asked of them."""
        return self._joined_in(min(self.lanes, default=0))

    def _joined_in(self, lane: int) -> SecretRows:
        columns, encodings, types = [], [], []
        for name in (MEANT, FIRST):
            columns.append(ColumnInfo(name, "bool", nullable=False))
            encodings.append(BIT)
            types.append(BIT.type(1))
        for info in self.columns:
            column = self._of[info.name]
            base = self._base(right=column.right)
            kind = base.type_of(column.of)
            columns.append(info)
            bound = kind.width - 2 - kind.f
            texts, (origin, step) = base.texts(column.of), base.grid(column.of).in_ticks(info.kind)
            encodings.append(Encoding(kind.f, bound, rounded=kind.error > 0, domain=texts, origin=origin, step=step))
            types.append(kind)
        every = self.left.where is None and self.merge.how == "left"
        merge = msgspec.structs.replace(self.merge, where=None, by=(), private=None)
        return _Joined(
            derived_name("merged", merge),
            self.left.source,
            tuple(columns),
            tuple(encodings),
            (SecretPartition("", "", 0, lane, self._rows(right=False)),),
            self.policy,
            None if every else MEANT,
            types=tuple(types),
        )

    def _selected_in(self, lane: int) -> SelectedRows:
        joined = self._joined_in(lane)
        return SelectedRows(Selection(joined.name, self.merge.where, self.merge.by, self.merge.private), joined)

    @cached_property
    def selected(self) -> SelectedRows:
        """The merged rows that are meant, in groups, as rows that are shares."""
        return self._selected_in(min(self.lanes, default=0))

    @property
    def count(self) -> int:
        return self.selected.count

    @property
    def where(self) -> Of | None:
        return self.selected.where

    @property
    def by(self) -> tuple[GroupKey, ...]:
        return self.merge.by

    @property
    def private(self) -> PrivateKeys | None:
        return self.merge.private

    @cached_property
    def groups(self) -> int:
        return self.selected.groups

    @property
    def shared(self) -> bool:
        return True

    def rounding(self, column: Of) -> float:
        return self.selected.rounding(column)

    def one_word(self, column: Of) -> bool:
        return self.selected.one_word(column)

    def width(self, column: Of) -> int:
        return self.selected.width(column)

    def step(self, column: Of) -> int:
        return self.selected.step(column)

    def texts(self, column: Of) -> tuple[str, ...]:
        return self.selected.texts(column)

    @property
    def sorted_cells(self) -> bool:
        """As of `SelectedRows`."""
        return self.selected.sorted_cells

    def check_column(self, of: Of) -> None:
        """Refuse what is not computed of merged columns. Errors: `ColumnError`, `BoundError`."""
        column_of(self, of)
        self.joined.type_of(of)

    def check(self, statistic: StatisticFaces) -> None:
        """Refuse a statistic that merged rows do not have. Errors: `InputError`, `ColumnError`."""
        if isinstance(statistic, GroupKeys):
            return
        self.check_column(statistic.column)
        for partial in statistic.partials(self):
            sums = self.private is not None or self.selected.sorted_cells
            if isinstance(partial, PartialAggregate) and sums and not partial.apart:
                partial.sum_types(self.selected, self.count)

    # --- what is computed

    def sides_of(self, partials: Sequence[PartialAggregate]) -> SidesOfMerge:
        """What is taken of the lanes for these partials."""
        return SidesOfMerge(EVERY_ROW, tuple(dict.fromkeys(partials)))

    def _tables(self, table: SidesOfMerge) -> SharedSides:
        """What lanes bring, with the columns that are asked for."""
        private = self.merge.private.keys if self.merge.private is not None else ()
        keys = (*(key.of for key in self.merge.by), *(key.of for key in private))
        asked: list[Of | None] = [self.merge.where, *keys]
        for partial in table.partials:
            if not isinstance(partial, WordOfGroup):
                asked += [partial.column, partial.times, *(key.of for key in partial.by)]
        names = set(columns_of(*asked))
        met = any(isinstance(partial, MatchedRight) for partial in table.partials)
        read = tuple(column for column in self.merge.columns if column.name in names)
        return SharedSides(self.sides, self.keys, read, met=met)

    def partial(self, build: LaneBuild, partial: PartialAggregate) -> Value:
        """What the rows of one lane contribute: rows of the left side, then of the right one."""
        if not isinstance(partial, SidesOfMerge):
            raise ProgramError("rows of both sides are brought all at once")
        return self._tables(partial).brought(build)

    def taken(self, build: LaneBuild, table: SidesOfMerge, value: Value) -> Mapping[PartialAggregate, Value]:
        """Each partial, from what all lanes contribute."""
        selected = self._selected_in(build.lane)
        (partition,) = selected.base.partitions if isinstance(selected.base, SecretRows) else ()
        memo = build.memo.setdefault((selected.base.name, partition), {})
        memo.update(self._tables(table).columns(build.builder, value))
        met = SumOfColumn(FIRST)
        partials = [met if isinstance(partial, MatchedRight) else partial for partial in table.partials]
        found: dict[PartialAggregate, Value] = {}
        at_once = selected.private is not None or selected.sorted_cells
        added = [partial for partial in partials if at_once and not partial.apart]
        if added and selected.private is not None:
            groups = keyed_groups(selected, added)
            found.update(selected.merged(build.builder, groups, self._asked(build, selected, groups)))
        elif added:
            sums = cell_sums(selected, added)
            found.update(sums.taken(build.builder, selected, self._asked(build, selected, sums)))
        for partial in (partial for partial in partials if partial not in added):
            found[partial] = self._asked(build, selected, partial)
            found.update(partial.taken(build.builder, selected, found[partial]))
        return found | {partial: found[met] for partial in table.partials if isinstance(partial, MatchedRight)}

    def _asked(self, build: LaneBuild, selected: SelectedRows, partial: PartialAggregate) -> Value:
        try:
            return selected.partial(build, partial)
        except BoundError as error:
            if error.where.get("column"):
                raise
            column = words(partial.column)
            raise BoundError(f"{partial.words} of {column}: {error}", column=column) from None
