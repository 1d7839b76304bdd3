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
        if part.groups is None:
            return _squares(builder, part.kept())
        values = self.addends(builder, part, part.of.value.type.count)
        return self.of_sums(builder, [part.total(value) for value in values], rows)

    def addends(self, builder: Builder, part: ChosenShares, count: int) -> tuple[Value, ...]:
        x, square = part.kept(), Product(Elementwise())
        if _fits(x.type.width, count):
            return (builder.add(square, x, x),)
        high, low = _halves(builder, x)
        return tuple(builder.add(square, *pair) for pair in ((high, high), (high, low), (low, low)))

    def sum_types(self, rows: Rows, count: int) -> tuple[ValueType, ...]:
        width, f, more = rows.width(self.column), rows.step(self.column), log2_ceil(count)
        if _fits(width, count):
            return (ValueType(shape=(), f=2 * f, width=2 * width - 1 + more),)
        shift = _shift(width)
        high, low = width - shift + 2, shift + 1
        widths = (2 * high, high + low, 2 * low)
        return tuple(ValueType(shape=(), width=width - 1 + more) for width in widths)

    def of_sums(self, builder: Builder, sums: Sequence[Value], rows: Rows) -> Value:
        wide = [builder.add(Widen(), total) for total in sums]
        if len(wide) == 1:
            return wide[0]
        shift = _shift(rows.width(self.column))
        powers = (2 * shift, shift + 1, 0)
        weighted = [builder.add(Scale(1 << power), total) for power, total in zip(powers, wide, strict=True)]
        return _with_fraction(builder, join(builder, Join.SUM, weighted), 2 * rows.step(self.column))


def _fits(width: int, count: int) -> bool:
    """Whether the sum of so many squares fits a word."""
    return 2 * width - 1 + log2_ceil(count) < FULL_WIDTH


def _shift(width: int) -> int:
    """How many bits the lower part of a value has, where its square does not fit."""
    return max(width // 2, 1)


def _squares(builder: Builder, x: Value) -> Value:
    """The sum of x^2 of one partition (rows,), in the wide ring: at once where it fits, else from parts of a split."""
    if _fits(x.type.width, x.type.count):
        return builder.add(Widen(), builder.add(SumOfSquares(), x))
    shift = _shift(x.type.width)
    parts = builder.add(Widen(), builder.add(SquareParts(shift), x))
    weighted = [
        builder.add(Scale(1 << power), builder.add(Slice(((at, at + 1, 1),)), parts))
        for at, power in enumerate((2 * shift, shift + 1, 0))
    ]
    total = builder.add(Total(), builder.add(Concatenate(), *weighted))
    return _with_fraction(builder, total, 2 * x.type.f)


def _halves(builder: Builder, x: Value) -> tuple[Value, Value]:
    """Whole numbers of which values are the sum: h 2^shift + l, in units of 2^-f."""
    whole, shift = builder.add(Rescale(-x.type.f), x), _shift(x.type.width)
    high = builder.add(Truncate(Epilogue(shift=shift, width=x.type.width + 1)), whole)
    high = builder.add(Rescale(shift), high)
    back = builder.add(Scale(1 << shift), high)
    low = builder.add(AssumeWidth(shift + 1, 0.0), builder.add(Subtract(), whole, back))
    return builder.add(AssumeWidth(high.type.width, 0.0), high), low


def _with_fraction(builder: Builder, whole: Value, f: int) -> Value:
    """The same ring elements, read with f fractional bits."""
    return builder.add(Rescale(f), whole) if f else whole
