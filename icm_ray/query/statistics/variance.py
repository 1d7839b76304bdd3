"""The variance (N S2 - S1^2) / (N (N - ddof)) or its root, a float; NaN where N <= ddof, as pandas has it.

V = N S2 - S1^2, taken on shares in the wide ring, is opened, and the recipient divides; neither the sum S1 nor the sum
of squares S2 is opened.

With every value off by at most d, the root of a sum of N squares is off by at most d sqrt(N), so the standard deviation
by e = d sqrt(N / (N - ddof)), and the variance by 2 e std + e^2. The standard error of the mean is the standard
deviation divided by sqrt(N).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from icm_ray.errors import BoundError
from icm_ray.ops.linear import Scale, Slice, Subtract
from icm_ray.ops.products import SumOfSquares
from icm_ray.ops.values import ValueType
from icm_ray.ops.wide import SquareParts, Widen, WideProduct
from icm_ray.program.build import Builder, Value
from icm_ray.query.doubles import DOUBLE, TINIEST, nearest, root
from icm_ray.query.error_bound import EXACT, ErrorBound
from icm_ray.query.opened import Known, Number
from icm_ray.query.partials import Join, PartialAggregate, RowCount, Taken, join, shared
from icm_ray.query.rows import Rows, public_count
from icm_ray.query.secret_cells import ChosenShares
from icm_ray.query.split_products import SplitProducts, Step, step_of
from icm_ray.query.statistics.base import OfColumn
from icm_ray.query.statistics.count import ValuesOfColumn
from icm_ray.query.statistics.sum import SumOfColumn, moment_type
from icm_ray.query.tasks import ColumnInfo
from icm_ray.ring.wide import limbs_of

__all__ = ["SquaresOfColumn", "Variance", "times_count"]


class Variance(OfColumn, frozen=True, forbid_unknown_fields=True, tag="variance"):
    """root: the standard deviation. of_mean: that of the mean, or its variance."""

    contributed: ClassVar[bool] = True

    ddof: int = 1
    root: bool = False
    of_mean: bool = False

    @property
    def operation(self) -> str:
        if self.of_mean:
            return "sem"
        return "std" if self.root else "var"

    @property
    def title(self) -> str:
        word = ("sem" if self.of_mean else "std") if self.root else ("var of the mean" if self.of_mean else "var")
        return f"{word} of {self.in_words} (ddof={self.ddof})"

    def partials(self, rows: Rows) -> tuple[PartialAggregate | RowCount, ...]:
        count = ValuesOfColumn(self.column)
        if public_count(rows, self.column) and rows.count <= self.ddof:
            return (count,)
        return count, SumOfColumn(self.column, wide=True), SquaresOfColumn(self.column)

    def _defined(self, count: Number) -> bool:
        """Whether there are more rows than ddof."""
        return count.number > self.ddof

    def finish(self, builder: Builder, values: Sequence[Taken], rows: Rows) -> Mapping[str, Taken]:
        count, *others = values
        if not others:
            return {"count": count}
        total, squares = map(shared, others)
        try:
            scaled = times_count(builder, count, squares)
            value = builder.add(Subtract(), scaled, builder.add(WideProduct(), total, total))
        except BoundError as error:
            many = f"{count.value} rows" if isinstance(count, Known) else "these rows"
            reason = f"{self.title}: {many} in so many parts do not fit ({error})"
            raise BoundError(reason, column=self.in_words) from None
        return {"V": value, "count": count}

    def decode(self, numbers: Mapping[str, Number], rows: Rows) -> float:
        if not self._defined(numbers["count"]):
            return math.nan
        count = numbers["count"].number
        variance = max(numbers["V"].number, Fraction(0)) / (count * (count - self.ddof))
        if self.of_mean:
            variance /= count
        return root(variance) if self.root else nearest(variance)

    def error(self, rows: Rows) -> ErrorBound:
        fewest = rows.count if public_count(rows, self.column) else self.ddof + 1
        if fewest <= self.ddof:
            return EXACT
        off = rows.rounding(self.column) * math.sqrt(fewest / (fewest - self.ddof))
        if self.root:
            return ErrorBound(off + TINIEST, DOUBLE)
        return ErrorBound(3 * off**2 + TINIEST, DOUBLE, 2 * off)

    def discloses(self, rows: Rows) -> str:
        if not public_count(rows, self.column):
            return "V = N S2 - S1^2, and N, the number of values; neither the sum S1 nor the sum of squares S2"
        if rows.count <= self.ddof:
            return f"nothing: the result of {rows.count} rows with ddof={self.ddof} is NaN"
        return "V = N S2 - S1^2 alone, N the public number of rows; neither the sum S1 nor the sum of squares S2"


def times_count(builder: Builder, count: Taken, value: Value) -> Value:
    """N times a wide value, for a number of values that is public, or a share."""
    if isinstance(count, Known):
        return builder.add(Scale(count.value), value)
    return builder.add(WideProduct(), builder.add(Widen(value.type.limbs), count), value)


@dataclass(frozen=True, slots=True)
class SquaresOfColumn(PartialAggregate):
    """The sum of squares, in the wide ring. degree: of what it becomes a part of."""

    words: ClassVar[str] = "sum of squares"
    rule: ClassVar[Join] = Join.SUM

    degree: int = 2

    @property
    def in_ring(self) -> int:
        return self.degree

    @property
    def kind(self) -> str:
        return "squares"

    def type(self, column: ColumnInfo, rows: int, cells: int) -> ValueType:
        return moment_type(column, 2, rows, cells, self.degree)

    def of_shares(self, builder: Builder, parts: Sequence[Value], rows: Rows) -> Value:
        return join(builder, self.rule, [_squares(builder, part, self._limbs) for part in parts])

    def of_chosen(self, builder: Builder, part: ChosenShares, rows: Rows) -> Value:
        if part.groups is None:
            return _squares(builder, part.kept(), self._limbs)
        values = self.addends(builder, part, part.of.value.type.count)
        return self.of_sums(builder, [part.total(value) for value in values], rows)

    def addends(self, builder: Builder, part: ChosenShares, count: int) -> tuple[Value, ...]:
        x = part.kept()
        return SplitProducts(step_of(x)).products(builder, x, x, count)

    def _split(self, rows: Rows) -> SplitProducts:
        return SplitProducts(Step(rows.width(self.column), rows.step(self.column)))

    def sum_types(self, rows: Rows, count: int) -> tuple[ValueType, ...]:
        return self._split(rows).types(count)

    def of_sums(self, builder: Builder, sums: Sequence[Value], rows: Rows) -> Value:
        return self._split(rows).total(builder, [builder.add(Widen(self._limbs), total) for total in sums])

    @property
    def _limbs(self) -> int:
        return limbs_of(floats=False, degree=self.degree)


def _squares(builder: Builder, x: Value, limbs: int) -> Value:
    """The sum of x^2 of one partition (rows,), in the wide ring: at once where it fits, else from parts of a split."""
    split = SplitProducts(step_of(x))
    if split.fit(x.type.count):
        return builder.add(Widen(limbs), builder.add(SumOfSquares(), x))
    parts = builder.add(Widen(limbs), builder.add(SquareParts(split.x.shift), x))
    return split.total(builder, [builder.add(Slice(((at, at + 1, 1),)), parts) for at in range(3)])
