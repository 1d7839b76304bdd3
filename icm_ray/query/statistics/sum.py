"""The sum: an int for integers and booleans, exactly, else a float. The sum is opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from icm_ray.ops.linear import Concatenate
from icm_ray.ops.linear import Sum as Total
from icm_ray.ops.values import Kind, ValueType, log2_ceil
from icm_ray.ops.wide import Widen
from icm_ray.program.build import Builder, Value
from icm_ray.query.doubles import DOUBLE, nearest
from icm_ray.query.error_bound import EXACT, ErrorBound
from icm_ray.query.opened import Number
from icm_ray.query.partials import Join, PartialAggregate, Taken, join
from icm_ray.query.rows import Rows
from icm_ray.query.statistics.base import OfColumn
from icm_ray.query.tasks import ColumnInfo
from icm_ray.ring.wide import GRID, LIMBS_OF_DOUBLES, LIMBS_OF_INTEGERS

__all__ = ["Sum", "SumOfColumn", "moment_type"]

_INTEGER_BITS = 64  # of magnitudes of int64 and uint64
_DOUBLE_BITS = 1024 + GRID  # of magnitudes of finite doubles, in units of 2^-GRID


def moment_type(column: ColumnInfo, power: int, rows: int, cells: int) -> ValueType:
    """Of the exact sums of x^power over so many rows of any size (icm_ray.query.tasks.Aggregate)."""
    floats = column.kind == "float"
    bits, limbs = (_DOUBLE_BITS, LIMBS_OF_DOUBLES) if floats else (_INTEGER_BITS, LIMBS_OF_INTEGERS)
    width = power * bits + log2_ceil(rows) + 1
    return ValueType(kind=Kind.WIDE, shape=(cells,), f=power * GRID * floats, width=width, limbs=limbs)


class Sum(OfColumn, frozen=True, forbid_unknown_fields=True, tag="sum"):
    """The sum of a column."""

    @property
    def title(self) -> str:
        return f"sum of {self.in_words}"

    def partials(self, rows: Rows) -> tuple[SumOfColumn]:
        return (SumOfColumn(self.column),)

    def finish(self, builder: Builder, values: Sequence[Taken], rows: Rows) -> Mapping[str, Taken]:
        return {"sum": values[0]}

    def decode(self, numbers: Mapping[str, Number], rows: Rows) -> int | float:
        total = numbers["sum"].number
        return int(total) if self.whole(rows) else nearest(total)

    def error(self, rows: Rows) -> ErrorBound:
        return EXACT if self.whole(rows) else ErrorBound(rows.count * rows.rounding(self.column), DOUBLE)

    def discloses(self, rows: Rows) -> str:
        return "the sum"


@dataclass(frozen=True, slots=True)
class SumOfColumn(PartialAggregate):
    """wide: in a wide ring, else in 64 bits."""

    words: ClassVar[str] = "sum"
    rule: ClassVar[Join] = Join.SUM

    wide: bool = False

    def substitute(self, rows: Rows) -> SumOfColumn:
        return replace(self, wide=self.wide or not rows.one_word(self.column))

    @property
    def kind(self) -> str:
        return "sum"

    def type(self, column: ColumnInfo, rows: int, cells: int) -> ValueType:
        return moment_type(column, 1, rows, cells)

    def of_shares(self, builder: Builder, parts: Sequence[Value], rows: Rows) -> Value:
        sums = [builder.add(Total(), part) for part in parts]
        if not self.wide:
            return join(builder, self.rule, sums)
        together = sums[0] if len(sums) == 1 else builder.add(Concatenate(), *sums)
        wide = builder.add(Widen(), together)
        return wide if len(sums) == 1 else builder.add(Total(), wide)
