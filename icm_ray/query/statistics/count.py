"""The number of values, an int. Where none can be missing and all rows are meant it is that of the rows, which is
public: nothing is opened then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from icm_ray.errors import ProgramError
from icm_ray.ops.values import ValueType, log2_ceil
from icm_ray.program.build import Builder, Value
from icm_ray.query.error_bound import EXACT, ErrorBound
from icm_ray.query.opened import Known, Number, Opened
from icm_ray.query.partials import Join, PartialAggregate, RowCount, Taken
from icm_ray.query.rows import Rows, public_count
from icm_ray.query.secret_cells import ChosenShares
from icm_ray.query.statistics.base import OfColumn
from icm_ray.query.tasks import ColumnInfo

__all__ = ["Count", "ValuesOfColumn"]


class Count(OfColumn, frozen=True, forbid_unknown_fields=True, tag="count"):
    """The number of values."""

    @property
    def title(self) -> str:
        return f"count of {self.in_words}"

    def partials(self, rows: Rows) -> tuple[ValuesOfColumn]:
        return (ValuesOfColumn(self.column),)

    def finish(self, builder: Builder, values: Sequence[Taken], rows: Rows) -> Mapping[str, Taken]:
        return {"count": values[0]}

    def decode(self, numbers: Mapping[str, Number], rows: Rows) -> int:
        return numbers["count"].integers[0]

    def decode_cells(
        self, numbers: Mapping[str, Opened | Known], rows: Rows, cells: int
    ) -> list[Any] | NDArray[np.generic]:
        count = numbers["count"]
        return np.full(cells, count.value) if isinstance(count, Known) else np.array(count.integers, np.int64)

    def error(self, rows: Rows) -> ErrorBound:
        return EXACT

    def discloses(self, rows: Rows) -> str:
        return "nothing: the number of rows is public" if public_count(rows, self.column) else "the number of values"


@dataclass(frozen=True, slots=True)
class ValuesOfColumn(PartialAggregate):
    """The number of values (cells,), which owners count."""

    words: ClassVar[str] = "number of values"
    rule: ClassVar[Join] = Join.SUM

    def substitute(self, rows: Rows) -> PartialAggregate | RowCount:
        return RowCount(self.column) if public_count(rows, self.column) else self

    @property
    def kind(self) -> str:
        return "count"

    def type(self, column: ColumnInfo, rows: int, cells: int) -> ValueType:
        return ValueType(shape=(cells,), width=log2_ceil(rows + 1) + 1)

    def of_shares(self, builder: Builder, parts: Sequence[Value], rows: Rows) -> Value:
        raise ProgramError("shares lack no value: their number is that of the rows, which is public")

    def of_chosen(self, builder: Builder, part: ChosenShares, rows: Rows) -> Value:
        return part.counts()

    def addends(self, builder: Builder, part: ChosenShares, count: int) -> tuple[Value, ...]:
        return (part.bits(),)

    def sum_types(self, rows: Rows, count: int) -> tuple[ValueType, ...]:
        return (ValueType(shape=(), width=log2_ceil(count + 1) + 1),)

    def of_sums(self, builder: Builder, sums: Sequence[Value], rows: Rows) -> Value:
        return sums[0]
