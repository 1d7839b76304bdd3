"""Tables of owners merged on private keys, the aggregation fused into it: no key is opened, nor which rows matched.

What is merged is data; `merged_tables` says what its owners bring, and what of these is computed on shares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from icm_ray.errors import ColumnError, InputError, PolicyError, ProgramError
from icm_ray.ops.labels import Labels, merged
from icm_ray.policy import Policy
from icm_ray.program.build import Builder, Value
from icm_ray.query.expressions.tree import Of
from icm_ray.query.expressions.words import words
from icm_ray.query.lane_build import LaneBuild
from icm_ray.query.merge_layout import OFFERED, Layout, MatchedRight, brought, held_of, layout
from icm_ray.query.merge_sides import JoinedColumn, Merge, Sides
from icm_ray.query.merged_groups import by_private_keys, most_groups
from icm_ray.query.merged_tables import MergedTables
from icm_ray.query.partials import PartialAggregate, RowCount, join
from icm_ray.query.private_groups import KeyedGroups, check_keys
from icm_ray.query.private_keys import STEP, PrivateKeys
from icm_ray.query.rows import column_of
from icm_ray.query.selection import SelectedRows, check_key
from icm_ray.query.statistics.base import StatisticFaces
from icm_ray.query.statistics.distinct_in_groups import DistinctInGroups
from icm_ray.query.statistics.group_keys import GroupKeys
from icm_ray.query.statistics.shape import ONE_GROUP, Shape
from icm_ray.query.strictest import strictest
from icm_ray.query.tasks import ColumnInfo, GroupKey, PrivateKey

__all__ = ["JoinedColumn", "MatchedRight", "Merge", "MergedRows"]


@dataclass(frozen=True)
class MergedRows:
    """A merge, and the rows that it is of; a set of rows of which nobody knows which they are.

    Errors, when it is made: `InputError` for keys that do not fit together or may be missing, and for too many groups,
    `ColumnError` for a column that one of the sides does not have, for a side that is shared, or a condition or a group
    that is of no side, `PolicyError` where a key may have several right rows and there is a policy.
    """

    merge: Merge
    left: SelectedRows
    right: SelectedRows

    def __post_init__(self) -> None:
        for side in (self.left, self.right):
            held_of(side)
        self._check_columns()
        (left, right) = (side.private for side in (self.left, self.right))
        if left is None or right is None:
            raise InputError("rows are merged on private keys")
        if [(key.kind, key.size) for key in left.keys] != [(key.kind, key.size) for key in right.keys]:
            raise InputError("keys of a merge are of one kind and one bound on both sides")
        for side, private in ((self.left, left), (self.right, right)):
            for key in private.keys:
                info = column_of(side.base, key.of)
                if info.nullable:
                    raise InputError(
                        f"{info.name}: keys to merge on may not be missing: fill them, fillna(...), or dropna(...)"
                    )
        self.sides.check(lambda key, side: check_key(key, column_of(side.base, key.of)))
        if self.merge.many:
            self._check_many()
        if self.merge.private is not None:
            self._check_private(self.merge.private)

    def _check_columns(self) -> None:
        for column in self.merge.columns:
            column_of(self.sides.of(right=column.right).base, column.of)
        if len({column.name for column in self.merge.columns}) != len(self.merge.columns):
            raise ColumnError("merged rows have two columns of one name")

    def _refuse_private(self) -> None:
        """Errors: `PolicyError` where there is a policy."""
        if self.policy is not None:
            raise PolicyError(
                "the policy allows groups of merged rows by stated values alone: domain={...}",
                dataset=self.left.source if self.left.policy is not None else self.right.source,
            )

    def _check_private(self, private: PrivateKeys) -> None:
        if self.merge.by:
            raise InputError("rows are grouped by public keys or by private ones, not by both")
        self._refuse_private()
        check_keys(private, self)
        for key in self.sides.private:
            if column_of(self.right.base, key.of).nullable:
                raise InputError(f"{words(key.of)}: private values to group merged rows by may not be missing")

    def _check_many(self) -> None:
        if self.policy is not None:
            raise PolicyError(
                "the policy allows merges with one row for each key on the right side alone: how many rows of either "
                "side are behind a result would not be known",
                dataset=self.left.source if self.left.policy is not None else self.right.source,
            )
        if self.sides.cells_of(right=True) or self.merge.private is not None:
            raise InputError(
                "rows are grouped by the right side's columns where each key has one row there: swap the frames"
            )

    @cached_property
    def sides(self) -> Sides:
        """What is of which side."""
        return Sides(self.merge, self.left, self.right)

    def keys_of(self, *, right: bool) -> tuple[PrivateKey, ...]:
        """What rows of a side are merged on."""
        private = (self.merge.right if right else self.merge.left).private
        return () if private is None else private.keys

    @cached_property
    def name(self) -> str:
        return self.merge.name

    @cached_property
    def policy(self) -> Policy | None:
        return strictest((self.left.policy, self.right.policy))

    @property
    def source(self) -> str:
        return self.left.source

    @cached_property
    def columns(self) -> tuple[ColumnInfo, ...]:
        found = []
        for column in self.merge.columns:
            info = column_of(self.sides.of(right=column.right).base, column.of)
            missing = info.nullable or (column.right and self.merge.how == "left")
            found.append(ColumnInfo(column.name, info.kind, nullable=missing, categories=info.categories))
        return tuple(found)

    @property
    def count(self) -> int:
        return self.left.count

    @property
    def where(self) -> Of | None:
        return self.merge.where

    @property
    def by(self) -> tuple[GroupKey, ...]:
        return self.merge.by

    @property
    def private(self) -> PrivateKeys | None:
        return self.left.private if self.merge.private is None else self.merge.private

    @cached_property
    def groups(self) -> int:
        if self.merge.private is not None:
            return most_groups(layout(self.sides, ()))
        return len(self.sides.cells()) if self.merge.by else 0

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

    def texts(self, column: Of) -> tuple[str, ...]:
        return ()

    def behind(self, of: Of) -> tuple[SelectedRows, Of]:
        """The side of what is computed of its columns, and what it is there. Errors: `ColumnError` (of both sides)."""
        right, own = self.sides.own(of)
        return self.sides.of(right=right), own

    def check_column(self, of: Of) -> None:
        """Refuse what is not computed of merged columns. Errors: `ColumnError` (of both sides)."""
        self.behind(of)

    def check(self, statistic: StatisticFaces) -> None:
        """Refuse a statistic that merged rows do not have. Errors: `InputError`, `ColumnError` (of both sides)."""
        if not isinstance(statistic, GroupKeys):
            self.check_column(statistic.column)
        try:
            asked = [partial for partial in statistic.partials(self) if not isinstance(partial, RowCount)]
        except InputError:
            if isinstance(statistic, DistinctInGroups):
                raise  # of shared frames it is not offered either, and says what to ask instead
            more = f"; {ONE_GROUP}" if isinstance(statistic, Shape) and (self.merge.by or self.merge.private) else ""
            raise InputError(f"{statistic.title}: {OFFERED}{more}") from None
        _ = layout(self.sides, asked).columns
        if self.merge.private is not None and any(partial.kind in {"min", "max"} for partial in asked):
            raise InputError(f"{statistic.title}: groups of private values have no min and max; state them: domain=")

    # --- what is computed: of `merged_tables`

    def partial(self, build: LaneBuild, partial: PartialAggregate) -> Value:
        """What the rows of one lane contribute: tables of both sides, each with zeros in the other's columns."""
        if not isinstance(partial, KeyedGroups):
            raise ProgramError("merged rows are aggregated all at once")
        return join(build.builder, partial.rule, list(brought(build, self._layout(partial))))

    def _layout(self, table: KeyedGroups) -> Layout:
        """What rows hold: of private groups the number of their rows, too."""
        rows = () if self.merge.private is None else table.aggregates
        return layout(self.sides, tuple(dict.fromkeys((*rows, *table.partials))))

    def merged(self, builder: Builder, table: KeyedGroups, value: Value) -> Mapping[PartialAggregate, Value]:
        """Each partial, from what all lanes contribute."""
        tables = MergedTables(builder, self._layout(table), value)
        return tables.values() if self.merge.private is None else by_private_keys(builder, self, tables, table)
