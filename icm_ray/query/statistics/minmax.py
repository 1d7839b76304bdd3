"""The least or largest value; min is -max(-x). An int for integers and booleans, exactly, else a float."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from icm_ray.ops.linear import Scale
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder, Value
from icm_ray.query.error_bound import EXACT, ErrorBound
from icm_ray.query.opened import Number
from icm_ray.query.partials import Join, PartialAggregate, Taken, join, largest, shared
from icm_ray.query.rows import Rows
from icm_ray.query.statistics.base import DOUBLE, OfColumn
from icm_ray.query.tasks import Aggregate, ColumnInfo
from icm_ray.ring.fixed import float_of_key

__all__ = ["LargestOfColumn", "MinMax"]

# The range that owners check themselves (icm_ray.query.tasks.Aggregate), as a type.
_RANGE = ValueType(shape=(1,), width=63)
_BIT = ValueType(shape=(1,), width=2)


class MinMax(OfColumn, frozen=True, forbid_unknown_fields=True, tag="minmax"):
    """least: the smallest value, else the largest."""

    least: bool = False

    @property
    def word(self) -> str:
        """What pandas calls it."""
        return "min" if self.least else "max"

    @property
    def title(self) -> str:
        return f"{self.word} of {self.column}"

    def partials(self, rows: Rows) -> tuple[LargestOfColumn]:
        return (LargestOfColumn(self.column, negated=self.least),)

    def finish(self, builder: Builder, values: Sequence[Taken], rows: Rows) -> Mapping[str, Taken]:
        value = shared(values[0])
        return {self.word: builder.add(Scale(-1), value) if self.least else value}

    def decode(self, numbers: Mapping[str, Number], rows: Rows) -> int | float:
        value = numbers[self.word]
        if self.whole(rows):
            return value.integers[0]
        if rows.shared:
            return float(value.number)
        return float(float_of_key(np.array(value.integers, np.int64))[0])

    def error(self, rows: Rows) -> ErrorBound:
        if self.whole(rows):
            return EXACT
        if rows.shared:
            return ErrorBound(rows.rounding(self.column), DOUBLE)
        return ErrorBound(2.0**-511, 0.0)  # an order key takes smaller magnitudes for zero

    def discloses(self, rows: Rows) -> str:
        return f"the {'least' if self.least else 'largest'} value"


@dataclass(frozen=True, slots=True)
class LargestOfColumn(PartialAggregate):
    """negated: of the negated values."""

    words: ClassVar[str] = "maximum"
    rule: ClassVar[Join] = Join.LARGEST

    negated: bool = False

    def task(self, table: str, partitions: tuple[int, ...], column: ColumnInfo) -> Aggregate:
        return Aggregate(table, column.name, partitions, "min" if self.negated else "max", read_as=column.kind)

    def type(self, column: ColumnInfo, rows: int) -> ValueType:
        return _BIT if column.kind == "bool" else _RANGE

    def brought(self, builder: Builder, value: Value) -> Value:
        return builder.add(Scale(-1), value) if self.negated else value

    def of_shares(self, builder: Builder, parts: Sequence[Value], rows: Rows) -> Value:
        signed = [self.brought(builder, part) for part in parts]
        return join(builder, self.rule, [largest(builder, part) for part in signed])
