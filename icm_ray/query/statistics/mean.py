"""The mean, a float, NaN of nothing: the sum is opened, and the number of values where that is not public."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from icm_ray.program.build import Builder
from icm_ray.query.clipped import clipped, noisy
from icm_ray.query.doubles import DOUBLE, TINIEST, nearest, quotient
from icm_ray.query.error_bound import ErrorBound
from icm_ray.query.opened import Known, Number, Opened
from icm_ray.query.partials import PartialAggregate, RowCount, Taken
from icm_ray.query.rows import Rows, public_count
from icm_ray.query.statistics.base import OfColumn
from icm_ray.query.statistics.count import ValuesOfColumn
from icm_ray.query.statistics.sum import SumOfColumn

__all__ = ["Mean"]


class Mean(OfColumn, frozen=True, forbid_unknown_fields=True, tag="mean"):
    """The arithmetic mean of a column."""

    contributed: ClassVar[bool] = True

    @property
    def title(self) -> str:
        return f"mean of {self.in_words}"

    def partials(self, rows: Rows) -> tuple[PartialAggregate | RowCount, ...]:
        return SumOfColumn(clipped(self.column, rows), noisy(rows)), ValuesOfColumn(self.column)

    def finish(self, builder: Builder, values: Sequence[Taken], rows: Rows) -> Mapping[str, Taken]:
        total, count = values
        return {"sum": total, "count": count}

    def decode(self, numbers: Mapping[str, Number], rows: Rows) -> float:
        count = numbers["count"].number
        return nearest(numbers["sum"].number / count) if count > 0 else math.nan  # below it: parties add noise

    def decode_cells(
        self, numbers: Mapping[str, Opened | Known], rows: Rows, cells: int
    ) -> list[Any] | NDArray[np.generic]:
        total, count = numbers["sum"], numbers["count"]
        f = 0 if isinstance(total, Known) else total.type.f
        sums, counts = (number.integers * (1 if len(number.integers) == cells else cells) for number in (total, count))
        return [quotient(one, many << f) if many > 0 else math.nan for one, many in zip(sums, counts, strict=True)]

    def error(self, rows: Rows) -> ErrorBound:
        return ErrorBound(rows.rounding(clipped(self.column, rows)) + TINIEST, DOUBLE)

    def discloses(self, rows: Rows) -> str:
        if public_count(rows, self.column):
            return f"the sum, to be divided by {rows.count}: the number of rows is public"
        return "the sum, and the number of values"
