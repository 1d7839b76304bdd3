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
from icm_ray.ops.forms import Elementwise
from icm_ray.ops.linear import AssumeWidth, Concatenate, Rescale, Scale, Slice, Subtract
from icm_ray.ops.linear import Sum as Total
from icm_ray.ops.products import Epilogue, Product, SumOfSquares, Truncate
from icm_ray.ops.values import FULL_WIDTH, ValueType, log2_ceil
from icm_ray.ops.wide import SquareParts, Widen, WideProduct
from icm_ray.program.build import Builder, Value
from icm_ray.query.doubles import DOUBLE, TINIEST, nearest, root
from icm_ray.query.error_bound import EXACT, ErrorBound
from icm_ray.query.opened import Known, Number
from icm_ray.query.partials import Join, PartialAggregate, RowCount, Taken, join, shared
from icm_ray.query.rows import Rows, public_count
from icm_ray.query.secret_cells import ChosenShares
from icm_ray.query.statistics.base import OfColumn
from icm_ray.query.statistics.count import ValuesOfColumn
from icm_ray.query.statistics.sum import SumOfColumn, moment_type
from icm_ray.query.tasks import ColumnInfo

__all__ = ["SquaresOfColumn", "Variance", "times_count"]


class Variance(OfColumn, frozen=True, forbid_unknown_fields=True, tag="variance"):
    """root: the standard deviation. of_mean: that of the mean, or its variance."""

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
    """The sum of squares, in the wide ring. degree: of what it becomes a part of, where owners bring it."""

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
        return join(builder, self.rule, [_squares(builder, part) for part in parts])

    def of_chosen(self, builder: Builder, part: ChosenShares, rows: Rows) -> Value:
        values = part.kept()
        return _squares(builder, values) if part.groups is None else _squares_of_groups(builder, values, part)


def _squares(builder: Builder, x: Value) -> Value:
    """The sum of x^2 of one partition (rows,), in the wide ring: at once where it fits, else from parts of a split."""
    if 2 * x.type.width - 1 + log2_ceil(x.type.count) < FULL_WIDTH:
        return builder.add(Widen(), builder.add(SumOfSquares(), x))
    shift = max(x.type.width // 2, 1)
    parts = builder.add(Widen(), builder.add(SquareParts(shift), x))
    weighted = [
        builder.add(Scale(1 << power), builder.add(Slice(((at, at + 1, 1),)), parts))
        for at, power in enumerate((2 * shift, shift + 1, 0))
    ]
    total = builder.add(Total(), builder.add(Concatenate(), *weighted))
    return _with_fraction(builder, total, 2 * x.type.f)


def _squares_of_groups(builder: Builder, x: Value, part: ChosenShares) -> Value:
    """The sums of x^2 of each group, in the wide ring: at once where they fit, else from parts of a split."""
    square = Product(Elementwise())
    if 2 * x.type.width - 1 + log2_ceil(x.type.count) < FULL_WIDTH:
        return builder.add(Widen(), part.total(builder.add(square, x, x)))
    shift = max(x.type.width // 2, 1)
    high = builder.add(Truncate(Epilogue(shift=shift, width=x.type.width + 1)), builder.add(Rescale(-x.type.f), x))
    high = builder.add(Rescale(shift), high)
    back = builder.add(Scale(1 << shift), high)
    low = builder.add(AssumeWidth(shift + 1, 0.0), builder.add(Subtract(), builder.add(Rescale(-x.type.f), x), back))
    high = builder.add(AssumeWidth(high.type.width, 0.0), high)
    weighted = [
        builder.add(Scale(1 << power), builder.add(Widen(), part.total(builder.add(square, *pair))))
        for pair, power in (((high, high), 2 * shift), ((high, low), shift + 1), ((low, low), 0))
    ]
    return _with_fraction(builder, join(builder, Join.SUM, weighted), 2 * x.type.f)


def _with_fraction(builder: Builder, whole: Value, f: int) -> Value:
    """The same ring elements, read with f fractional bits."""
    return builder.add(Rescale(f), whole) if f else whole
