"""Skewness and kurtosis as pandas has them, corrected for bias; floats, NaN of too few values, or of equal ones.

With S_k the sum of x^k over N values, exact in a ring that holds what is of the degree of the moment,

    V = N S2 - S1^2,   W = N^2 S3 - 3 N S1 S2 + 2 S1^3,   K = N^3 S4 - 4 N^2 S1 S3 + 6 N S1^2 S2 - 3 S1^4

are N, N^2 and N^3 times the sums of (x - mean)^2, ^3 and ^4. They are taken on shares and opened; the recipient finds

    skew = sqrt(N (N - 1)) / (N - 2) W / V^(3/2)
    kurt = (N + 1) (N - 1) / ((N - 2) (N - 3)) K / V^2 - 3 (N - 1)^2 / ((N - 2) (N - 3)).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Final

from icm_ray.errors import BoundError, ColumnError, ProgramError
from icm_ray.ops.linear import Add, Scale, Subtract
from icm_ray.ops.linear import Sum as Total
from icm_ray.ops.values import ValueType
from icm_ray.ops.wide import Widen, WideProduct
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
from icm_ray.query.statistics.variance import SquaresOfColumn, times_count
from icm_ray.query.tasks import ColumnInfo
from icm_ray.ring.wide import limbs_of

__all__ = ["ONE_GROUP", "PowersOfColumn", "Shape"]

ONE_GROUP: Final = "filter for one group at a time, frame[frame[key] == value]"
"""What to ask where groups of shares do not have it."""


class Shape(OfColumn, frozen=True, forbid_unknown_fields=True, tag="shape"):
    """peaked: the kurtosis, else the skewness."""

    contributed: ClassVar[bool] = True

    peaked: bool = False

    @property
    def degree(self) -> int:
        """Of the highest moment."""
        return 4 if self.peaked else 3

    @property
    def operation(self) -> str:
        return "kurt" if self.peaked else "skew"

    @property
    def title(self) -> str:
        return f"{'kurt' if self.peaked else 'skew'} of {self.in_words}"

    def partials(self, rows: Rows) -> tuple[PartialAggregate | RowCount, ...]:
        if rows.private is not None:
            raise ColumnError(f"{self.title}: of groups of private keys that is not offered; state them: domain=")
        if rows.shared and rows.groups:
            raise ColumnError(f"{self.title}: of groups of shares that is not offered: {ONE_GROUP}")
        count, degree = ValuesOfColumn(self.column), self.degree
        if public_count(rows, self.column) and rows.count < degree:
            return (count,)
        low = SumOfColumn(self.column, wide=True, degree=degree), SquaresOfColumn(self.column, degree)
        return count, *low, *(PowersOfColumn(self.column, power, degree) for power in range(3, degree + 1))

    def finish(self, builder: Builder, values: Sequence[Taken], rows: Rows) -> Mapping[str, Taken]:
        count, *others = values
        if not others:
            return {"count": count}
        try:
            moments = _central(builder, count, [shared(value) for value in others])
        except BoundError as error:
            many = f"{count.value} rows" if isinstance(count, Known) else "these rows"
            reason = f"{self.title}: {many} in so many parts do not fit ({error})"
            raise BoundError(reason, column=self.in_words) from None
        return {"V": moments[0], "K" if self.peaked else "W": moments[-1], "count": count}

    def decode(self, numbers: Mapping[str, Number], rows: Rows) -> float:
        n = int(numbers["count"].number)
        if n < self.degree:
            return math.nan
        spread = numbers["V"].number
        if not spread:
            return math.nan  # of a constant column, as pandas has it
        if self.peaked:
            beyond = Fraction((n - 1), (n - 2) * (n - 3))
            return nearest(beyond * ((n + 1) * numbers["K"].number / spread**2 - 3 * (n - 1)))
        third = numbers["W"].number
        size = root(n * (n - 1) * third**2 / ((n - 2) ** 2 * spread**3))
        return size if third > 0 else -size

    def error(self, rows: Rows) -> ErrorBound:
        if public_count(rows, self.column) and rows.count < self.degree:
            return EXACT
        if rows.rounding(self.column):  # of columns that hardly vary rounded values tell nothing
            return ErrorBound(2 * (float(rows.count) if self.peaked else math.sqrt(rows.count)))
        return ErrorBound(TINIEST, DOUBLE)

    def error_in_words(self, rows: Rows) -> str:
        off, bound = rows.rounding(self.column), self.error(rows)
        if not off or bound == EXACT:
            return str(bound)
        return f"error about {3 * self.degree * off:.3g} |result| / std of the column; {bound}"

    def discloses(self, rows: Rows) -> str:
        if public_count(rows, self.column) and rows.count < self.degree:
            return f"nothing: the result of {rows.count} rows is NaN"
        highest = "K, N^3 times that of their fourth powers" if self.peaked else "W, N^2 times that of their cubes"
        count = "" if public_count(rows, self.column) else "; N, the number of values"
        return f"V, N times the sum of squared distances to the mean, and {highest}{count}; no sum of powers"


def _central(builder: Builder, count: Taken, sums: Sequence[Value]) -> list[Value]:
    """V, W and, where there are four sums, K."""

    def times(x: Value, y: Value) -> Value:
        return builder.add(WideProduct(), x, y)

    def scaled(value: Value, factor: int, powers: int = 0) -> Value:
        for _ in range(powers):
            value = times_count(builder, count, value)
        return builder.add(Scale(factor), value) if factor > 1 else value

    first, second, third, *rest = sums
    square = times(first, first)
    moments = [builder.add(Subtract(), scaled(second, 1, 1), square)]
    cube, cross = times(square, first), scaled(times(first, second), 3, 1)
    moments.append(builder.add(Add(), builder.add(Subtract(), scaled(third, 1, 2), cross), scaled(cube, 2)))
    if rest:
        above = builder.add(Add(), scaled(rest[0], 1, 3), scaled(times(square, second), 6, 1))
        below = builder.add(Add(), scaled(times(first, third), 4, 2), scaled(times(square, square), 3))
        moments[1] = builder.add(Subtract(), above, below)
    return moments


@dataclass(frozen=True, slots=True)
class PowersOfColumn(PartialAggregate):
    """The sum of third or fourth powers, in the ring of what is of that degree."""

    words: ClassVar[str] = "sum of powers"
    rule: ClassVar[Join] = Join.SUM

    power: int
    degree: int

    @property
    def kind(self) -> str:
        return {3: "cubes", 4: "fourths"}[self.power]

    @property
    def in_ring(self) -> int:
        return self.degree

    def type(self, column: ColumnInfo, rows: int, cells: int) -> ValueType:
        return moment_type(column, self.power, rows, cells, self.degree)

    def of_shares(self, builder: Builder, parts: Sequence[Value], rows: Rows) -> Value:
        return join(builder, self.rule, [self._powers(builder, part) for part in parts])

    def of_chosen(self, builder: Builder, part: ChosenShares, rows: Rows) -> Value:
        if part.groups is not None:
            raise ProgramError("powers of shares are not added up in groups")
        return self._powers(builder, part.kept())

    def _powers(self, builder: Builder, x: Value) -> Value:
        """The sum of one partition."""
        wide = builder.add(Widen(limbs_of(floats=False, degree=self.degree)), x)
        square = builder.add(WideProduct(), wide, wide)
        found = builder.add(WideProduct(), square, wide if self.power == 3 else square)
        return builder.add(Total(), found)
