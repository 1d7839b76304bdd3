"""The sum: an int for integers and booleans, exactly, else a float. The sum is opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from icm_ray.ops.linear import Concatenate
from icm_ray.ops.linear import Sum as Total
from icm_ray.ops.values import Kind, ValueType, log2_ceil
from icm_ray.ops.wide import Widen
from icm_ray.program.build import Builder, Value
from icm_ray.query.clipped import clipped, noisy
from icm_ray.query.doubles import DOUBLE, nearest, quotient
from icm_ray.query.error_bound import EXACT, ErrorBound
from icm_ray.query.opened import Known, Number, Opened
from icm_ray.query.partials import Join, PartialAggregate, Taken, join
from icm_ray.query.rows import Rows
from icm_ray.query.secret_cells import ChosenShares
from icm_ray.query.statistics.base import OfColumn
from icm_ray.query.tasks import ColumnInfo
from icm_ray.ring.wide import GRID, limbs_of

__all__ = ["Sum", "SumOfColumn", "moment_type"]

_INTEGER_BITS = 64  # of magnitudes of int64 and uint64
_DOUBLE_BITS = 1024 + GRID  # of magnitudes of finite doubles, in units of 2^-GRID


def moment_type(column: ColumnInfo, power: int, rows: int, cells: int, in_ring: int = 2) -> ValueType:
    """Of the exact sums of x^power over so many rows of any size (icm_ray.query.tasks.Aggregate), in the ring of what
    is of degree `in_ring`.
    """
    floats = column.kind == "float"
    width = power * (_DOUBLE_BITS if floats else _INTEGER_BITS) + log2_ceil(rows) + 1
    limbs = limbs_of(floats, in_ring)
    return ValueType(kind=Kind.WIDE, shape=(cells,), f=power * GRID * floats, width=width, limbs=limbs)


class Sum(OfColumn, frozen=True, forbid_unknown_fields=True, tag="sum"):
    """The sum of a column."""

    contributed: ClassVar[bool] = True

    @property
    def title(self) -> str:
        return f"sum of {self.in_words}"

    def partials(self, rows: Rows) -> tuple[SumOfColumn]:
        return (SumOfColumn(clipped(self.column, rows), noisy(rows)),)

    def finish(self, builder: Builder, values: Sequence[Taken], rows: Rows) -> Mapping[str, Taken]:
        return {"sum": values[0]}

    def decode(self, numbers: Mapping[str, Number], rows: Rows) -> int | float:
        total = numbers["sum"].number
        return int(total) if self.whole(rows) else nearest(total)

    def decode_cells(
        self, numbers: Mapping[str, Opened | Known], rows: Rows, cells: int
    ) -> list[Any] | NDArray[np.generic]:
        total = numbers["sum"]
        if isinstance(total, Known):
            return [total.value] * cells
        if self.whole(rows):
            whole = total.whole
            return total.integers if whole is None else whole
        unit = 1 << total.type.f
        return [quotient(number, unit) for number in total.integers]

    def error(self, rows: Rows) -> ErrorBound:
        return EXACT if self.whole(rows) else ErrorBound(rows.count * rows.rounding(clipped(self.column, rows)), DOUBLE)

    def discloses(self, rows: Rows) -> str:
        return "the sum"


@dataclass(frozen=True, slots=True)
class SumOfColumn(PartialAggregate):
    """wide: in a wide ring, else in 64 bits. degree: of what it becomes a part of."""

    words: ClassVar[str] = "sum"
    rule: ClassVar[Join] = Join.SUM

    wide: bool = False
    degree: int = 2

    @property
    def in_ring(self) -> int:
        return self.degree

    def substitute(self, rows: Rows) -> SumOfColumn:
        return replace(self, wide=self.wide or not rows.one_word(self.column))

    @property
    def kind(self) -> str:
        return "sum"

    def type(self, column: ColumnInfo, rows: int, cells: int) -> ValueType:
        return moment_type(column, 1, rows, cells, self.degree)

    def of_shares(self, builder: Builder, parts: Sequence[Value], rows: Rows) -> Value:
        sums = [builder.add(Total(), part) for part in parts]
        if not self.wide:
            return join(builder, self.rule, sums)
        together = sums[0] if len(sums) == 1 else builder.add(Concatenate(), *sums)
        wide = builder.add(Widen(self._limbs), together)
        return wide if len(sums) == 1 else builder.add(Total(), wide)

    def of_chosen(self, builder: Builder, part: ChosenShares, rows: Rows) -> Value:
        return self.of_sums(builder, [part.total(part.kept())], rows)

    def addends(self, builder: Builder, part: ChosenShares, count: int) -> tuple[Value, ...]:
        return (part.kept(),)

    def sum_types(self, rows: Rows, count: int) -> tuple[ValueType, ...]:
        width = rows.width(self.column) + log2_ceil(count)
        return (ValueType(shape=(), f=rows.step(self.column), width=width, error=count * rows.rounding(self.column)),)

    def of_sums(self, builder: Builder, sums: Sequence[Value], rows: Rows) -> Value:
        return builder.add(Widen(self._limbs), sums[0]) if self.wide else sums[0]

    @property
    def _limbs(self) -> int:
        return limbs_of(floats=False, degree=self.degree)
