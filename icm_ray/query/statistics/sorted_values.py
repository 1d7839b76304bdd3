"""The values of a shared column in order: those at public ranks are opened (docs/protocols.md, section 17)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from icm_ray.errors import ProgramError
from icm_ray.ops.linear import Slice
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder, Value
from icm_ray.query.doubles import nearest
from icm_ray.query.opened import Number
from icm_ray.query.partials import Join, PartialAggregate, Taken, join, sorted_values
from icm_ray.query.rows import Rows
from icm_ray.query.statistics.ranks import Rank
from icm_ray.query.tasks import ColumnInfo

__all__ = ["SortedValues", "in_order", "opened_at"]


@dataclass(frozen=True, slots=True)
class SortedValues(PartialAggregate):
    """All values (rows,), from the least to the largest, where they are all of one lane; else lanes' join sorts."""

    words: ClassVar[str] = "order of values"
    rule: ClassVar[Join] = Join.SORTED

    @property
    def kind(self) -> str:
        raise ProgramError("owners search for ranks; they sort nothing")

    def type(self, column: ColumnInfo, rows: int, cells: int) -> ValueType:
        raise ProgramError("owners search for ranks; they sort nothing")

    def of_shares(self, builder: Builder, parts: Sequence[Value], rows: Rows) -> Value:
        values = join(builder, Join.ROWS, parts)
        return sorted_values(builder, values) if len(rows.lanes) == 1 else values


def opened_at(builder: Builder, values: Value, ranks: Sequence[Rank]) -> Mapping[str, Taken]:
    """The values at the ranks that there are, by their number."""
    found = [at for at in (rank.among(values.type.count) for rank in ranks) if 0 <= at < values.type.count]
    return {f"value {number}": builder.add(Slice(((at, at + 1, 1),)), values) for number, at in enumerate(found)}


def in_order(numbers: Mapping[str, Number], *, whole: bool) -> list[int | float]:
    """What was opened: integers, or the doubles nearest to it."""
    opened = [number for word, number in numbers.items() if word.startswith("value ")]
    return [item.integers[0] if whole else nearest(item.number) for item in opened]
