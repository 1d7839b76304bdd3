"""Where a policy names an entity column, rules about numbers of rows hold for entities: people, and not their visits.

Each entity has UNIT, which its rows in an owner's table share alike: a row of one that has n rows there weighs
floor(UNIT / n). What a set of rows weighs adds up as numbers of rows do, so differences, complements and unions are
held to the same rules, and it is no more than UNIT for each entity in the set: what weighs more than (k - 1) UNIT is of
k entities or more. A set that has some of an entity's rows alone counts as a part of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from icm_ray.errors import ColumnError
from icm_ray.ops.values import ValueType, log2_ceil
from icm_ray.policy import Policy
from icm_ray.program.build import Builder, Value
from icm_ray.query.entity_units import LOG2_UNIT
from icm_ray.query.expressions.tree import Of
from icm_ray.query.owner_rows import OwnerRows
from icm_ray.query.partials import Join, PartialAggregate
from icm_ray.query.rows import Rows, column_of
from icm_ray.query.selection import SelectedRows
from icm_ray.query.statistics.count import ValuesOfColumn
from icm_ray.query.tasks import ColumnInfo, GroupKey

__all__ = ["Entities", "behind", "not_by_entity"]

_KINDS: Final = ("int", "string")


def behind(policy: Policy | None, column: Of, by: tuple[GroupKey, ...] = ()) -> PartialAggregate:
    """What says how many are behind numbers of a column: values, or entities of the rows that have one. by: cells
    within those of the rows, of entities alone.
    """
    if policy is not None and policy.entity:
        return Entities(column, policy.entity, by)
    return ValuesOfColumn(column)


def not_by_entity(rows: Rows) -> str | None:
    """Why the entities behind a result are not counted, where the policy asks for it; None where they are.

    Errors: `ColumnError` (there is no such column).
    """
    name = "" if rows.policy is None else rows.policy.entity
    if not name:
        return None
    if rows.shared or rows.private is not None:
        what = "shares" if rows.shared else "private groups"
        return f"the policy counts {name}, which is not done of {what}: ask before .share(), and state domain="
    if (kind := column_of(rows, name).kind) not in _KINDS:
        return f"the policy counts {name}, whole numbers or text, and it is {kind}"
    base = rows.base if isinstance(rows, SelectedRows) else rows
    for table in base.tables if isinstance(base, OwnerRows) else ():
        if len({lane for lane, count in zip(table.lanes, table.rows, strict=True) if count}) > 1:
            return (
                f"the policy counts {name}, so each owner's rows have to be in one lane: lanes=1, or larger partitions"
            )
    return None


@dataclass(frozen=True, slots=True)
class Entities(PartialAggregate):
    """What the rows weigh that have a value (cells,), in each owner's table."""

    words: ClassVar[str] = "number of entities"
    rule: ClassVar[Join] = Join.SUM

    of_entity: str = ""
    within: tuple[GroupKey, ...] = ()

    @property
    def kind(self) -> str:
        return "entities"

    @property
    def entity(self) -> str:
        return self.of_entity

    @property
    def by(self) -> tuple[GroupKey, ...]:
        return self.within

    def type(self, column: ColumnInfo, rows: int, cells: int) -> ValueType:
        return ValueType(shape=(cells,), width=log2_ceil(rows + 1) + LOG2_UNIT + 1)

    def of_shares(self, builder: Builder, parts: Sequence[Value], rows: Rows) -> Value:
        raise ColumnError(f"{self.of_entity}: of whom rows are is not shared: ask before .share()")
