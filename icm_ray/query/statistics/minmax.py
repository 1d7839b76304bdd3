"""The least or largest value; min is -max(-x). An int for integers and booleans, exactly, else a float.

Of rows that owners hold it is exact, and -0.0 is less than 0.0: the zero that numpy finds where its answer does not
depend on the order of rows. Shares have one zero.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from icm_ray.functions.order_keys import key_type
from icm_ray.ops.linear import Scale
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder, Value
from icm_ray.query.doubles import DOUBLE, nearest
from icm_ray.query.error_bound import EXACT, ErrorBound
from icm_ray.query.opened import Number
from icm_ray.query.ordered_groups import OrderedGroups, by_sorting, ranks_of, typed_values
from icm_ray.query.partials import Join, PartialAggregate, Taken, join, largest, shared
from icm_ray.query.rows import Rows, public_count
from icm_ray.query.secret_cells import ChosenShares
from icm_ray.query.statistics.base import OfColumn
from icm_ray.query.tasks import ColumnInfo
from icm_ray.ring.fixed import NOTHING, float_of_key, key_of_words

__all__ = ["LargestOfColumn", "MinMax"]


class MinMax(OfColumn, frozen=True, forbid_unknown_fields=True, tag="minmax"):
    """least: the smallest value, else the largest."""

    adds_up: ClassVar[bool] = False

    least: bool = False

    @property
    def word(self) -> str:
        """What pandas calls it."""
        return "min" if self.least else "max"

    @property
    def operation(self) -> str:
        return self.word

    @property
    def title(self) -> str:
        return f"{self.word} of {self.in_words}"

    def partials(self, rows: Rows) -> tuple[LargestOfColumn | OrderedGroups]:
        if by_sorting(rows):
            return (OrderedGroups(self.column),)
        return (LargestOfColumn(self.column, negated=self.least),)

    def finish(self, builder: Builder, values: Sequence[Taken], rows: Rows) -> Mapping[str, Taken]:
        value = shared(values[0])
        if by_sorting(rows):
            ranked = ranks_of(builder, rows, value, self.column)
            found = ranked.least() if self.least else ranked.largest()
            return {self.word: typed_values(builder, rows, found, self.column)}
        if self.least:
            value = builder.add(Scale(-1), value)
        return {self.word: value}

    def decode(self, numbers: Mapping[str, Number], rows: Rows) -> int | float:
        value = numbers[self.word]
        if rows.shared:
            beyond = 1 << (rows.width(self.column) - 1)  # below all values, where none counts
            if abs(value.integers[0]) == beyond and not public_count(rows, self.column):
                return math.nan
            return value.integers[0] if self.whole(rows) else nearest(value.number)
        key = key_of_words(*value.integers)
        if abs(key) == NOTHING:
            return math.nan  # of nothing, as pandas has it
        return key if self.whole(rows) else float_of_key(key)

    def error(self, rows: Rows) -> ErrorBound:
        if self.whole(rows) or not rows.shared:
            return EXACT
        return ErrorBound(rows.rounding(self.column), DOUBLE)

    def discloses(self, rows: Rows) -> str:
        return f"the {'least' if self.least else 'largest'} value"


@dataclass(frozen=True, slots=True)
class LargestOfColumn(PartialAggregate):
    """Order keys (2, cells) of what owners hold, a number (1,) of shares. negated: of the negated values."""

    words: ClassVar[str] = "maximum"
    rule: ClassVar[Join] = Join.LARGEST

    negated: bool = False

    @property
    def kind(self) -> str:
        return "min" if self.negated else "max"

    def type(self, column: ColumnInfo, rows: int, cells: int) -> ValueType:
        return key_type(cells)

    def brought(self, builder: Builder, value: Value) -> Value:
        return builder.add(Scale(-1), value) if self.negated else value

    def of_shares(self, builder: Builder, parts: Sequence[Value], rows: Rows) -> Value:
        signed = [self.brought(builder, part) for part in parts]
        return join(builder, self.rule, [largest(builder, part) for part in signed])

    def of_chosen(self, builder: Builder, part: ChosenShares, rows: Rows) -> Value:
        return part.largest(negated=self.negated)
