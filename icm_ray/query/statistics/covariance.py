"""Covariance and Pearson's correlation of two columns, floats, over the rows where both have a value.

With N such rows, C = N Sxy - Sx Sy is taken on shares, exactly, and opened: cov = C / (N (N - ddof)). For a correlation
V_x = N Sxx - Sx^2 and V_y are opened too: corr = C / sqrt(V_x V_y); NaN where a column is constant.
Sums of products are exact (`owner.exact`): no product of two doubles is rounded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from icm_ray.errors import BoundError, ColumnError, ProgramError
from icm_ray.ops.linear import Subtract
from icm_ray.ops.values import ValueType
from icm_ray.ops.wide import Widen, WideProduct
from icm_ray.program.build import Builder, Value
from icm_ray.query.doubles import DOUBLE, TINIEST, nearest, root
from icm_ray.query.error_bound import EXACT, ErrorBound
from icm_ray.query.expressions.tree import Apply, Expression, Of
from icm_ray.query.expressions.words import words
from icm_ray.query.opened import Known, Number
from icm_ray.query.partials import Join, PartialAggregate, RowCount, Taken, shared
from icm_ray.query.rows import Rows, column_of, public_count
from icm_ray.query.secret_cells import ChosenShares
from icm_ray.query.split_products import SplitProducts, Step, step_of
from icm_ray.query.statistics.base import OfColumn
from icm_ray.query.statistics.count import ValuesOfColumn
from icm_ray.query.statistics.sum import SumOfColumn, moment_type
from icm_ray.query.statistics.variance import SquaresOfColumn, times_count
from icm_ray.query.tasks import ColumnInfo

__all__ = ["Covariance", "ProductsOfColumns"]


_ANY = 2.0
"""How far two correlations may be apart: of columns that hardly vary rounded values tell nothing."""


class Covariance(OfColumn, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="covariance"):
    """other: the second column, of the kind of the first, which is missing where it is. scaled: the correlation."""

    contributed: ClassVar[bool] = True

    other: Of
    ddof: int = 1
    scaled: bool = False

    @property
    def operation(self) -> str:
        return "corr" if self.scaled else "cov"

    @property
    def title(self) -> str:
        pair = f"of {_in_words(self.column)} and {_in_words(self.other)}"
        return f"corr {pair}" if self.scaled else f"cov {pair} (ddof={self.ddof})"

    @property
    def _fewest(self) -> int:
        """The fewest rows that have one."""
        return 2 if self.scaled else self.ddof + 1

    def _few(self, rows: Rows) -> bool:
        return public_count(rows, self.column) and rows.count < self._fewest

    def partials(self, rows: Rows) -> tuple[PartialAggregate | RowCount, ...]:
        if rows.private is not None:
            raise ColumnError(f"{self.title}: of groups of private keys that is not offered; state them: domain=")
        kinds = [column_of(rows, of).kind for of in (self.column, self.other)]
        alike = kinds[0] == kinds[1] or rows.shared
        if not alike or not {"int", "float", "bool"}.issuperset(kinds):
            raise ColumnError(f"{self.title}: two columns of one kind of numbers are needed, not {' and '.join(kinds)}")
        count = ValuesOfColumn(self.column)
        if self._few(rows):
            return (count,)
        sums = [SumOfColumn(of, wide=True) for of in (self.column, self.other)]
        squares = [SquaresOfColumn(of) for of in (self.column, self.other)] if self.scaled else []
        return count, *sums, ProductsOfColumns(self.column, self.other), *squares

    def finish(self, builder: Builder, values: Sequence[Taken], rows: Rows) -> Mapping[str, Taken]:
        count, *others = values
        if not others:
            return {"count": count}
        x, y, products, *squares = map(shared, others)

        def centred(moment: Value, one: Value, another: Value) -> Value:
            scaled = times_count(builder, count, moment)
            return builder.add(Subtract(), scaled, builder.add(WideProduct(), one, another))

        try:
            found = {"C": centred(products, x, y)}
            if squares:
                found |= {"Vx": centred(squares[0], x, x), "Vy": centred(squares[1], y, y)}
        except BoundError as error:
            many = f"{count.value} rows" if isinstance(count, Known) else "these rows"
            reason = f"{self.title}: {many} in so many parts do not fit ({error})"
            raise BoundError(reason, column=self.in_words) from None
        return {**found, "count": count}

    def decode(self, numbers: Mapping[str, Number], rows: Rows) -> float:
        count = int(numbers["count"].number)
        if count < self._fewest:
            return math.nan
        both = numbers["C"].number
        if not self.scaled:
            return nearest(both / (count * (count - self.ddof)))
        spread = numbers["Vx"].number * numbers["Vy"].number
        if not spread:
            return math.nan
        size = root(both**2 / spread)
        return size if both > 0 else -size

    def error(self, rows: Rows) -> ErrorBound:
        if self._few(rows):
            return EXACT
        first, second = (rows.rounding(of) for of in (self.column, self.other))
        if not first and not second:
            return ErrorBound(TINIEST, DOUBLE)
        if self.scaled:
            return ErrorBound(_ANY)
        many = public_count(rows, self.column)
        factor = rows.count / (rows.count - self.ddof) if many else self.ddof + 1
        x, y = (2.0 ** (rows.width(of) - 1 - rows.step(of)) for of in (self.column, self.other))
        return ErrorBound(factor * (first * y + second * x + first * second) + TINIEST, DOUBLE)

    def error_in_words(self, rows: Rows) -> str:
        first, second = (rows.rounding(of) for of in (self.column, self.other))
        if not self.scaled or not (first or second) or self._few(rows):
            return str(self.error(rows))
        return (
            f"error about {first:.3g} / std of the first + {second:.3g} / std of the second column, at most {_ANY:.0f}"
        )

    def discloses(self, rows: Rows) -> str:
        if self._few(rows):
            return f"nothing: the result of {rows.count} rows is NaN"
        spreads = ", and V = N S2 - S1^2 of both columns" if self.scaled else ""
        count = "" if public_count(rows, self.column) else "; N, the number of rows where both have a value"
        return f"C = N Sxy - Sx Sy{spreads}{count}; no sum, and no sum of products or squares"


def _in_words(of: Of) -> str:
    """A column, not the condition under which it is taken for missing."""
    last = None if isinstance(of, str) else of.nodes[-1]
    if isinstance(of, str) or not isinstance(last, Apply) or last.function != "where":
        return words(of)
    return words(Expression(of.nodes[: last.arguments[1] + 1]))


@dataclass(frozen=True, slots=True)
class ProductsOfColumns(PartialAggregate):
    """The sum of products of two columns, row by row, in the wide ring."""

    words: ClassVar[str] = "sum of products"
    rule: ClassVar[Join] = Join.SUM

    other: Of

    @property
    def kind(self) -> str:
        return "products"

    @property
    def times(self) -> Of | None:
        return self.other

    def type(self, column: ColumnInfo, rows: int, cells: int) -> ValueType:
        return moment_type(column, 2, rows, cells)

    def of_shares(self, builder: Builder, parts: Sequence[Value], rows: Rows) -> Value:
        raise ProgramError("products of two columns are not of one")

    def of_chosen(self, builder: Builder, part: ChosenShares, rows: Rows) -> Value:
        values = self.addends(builder, part, part.of.value.type.count)
        return self.of_sums(builder, [part.total(value) for value in values], rows)

    def addends(self, builder: Builder, part: ChosenShares, count: int) -> tuple[Value, ...]:
        if part.times is None:
            raise ProgramError("products are of two columns")
        x, y = part.kept(), part.rows.filled(part.times, 0)
        return SplitProducts(step_of(x), step_of(y)).products(builder, x, y, count)

    def _split(self, rows: Rows) -> SplitProducts:
        x, y = (Step(rows.width(of), rows.step(of)) for of in (self.column, self.other))
        return SplitProducts(x, y)

    def sum_types(self, rows: Rows, count: int) -> tuple[ValueType, ...]:
        return self._split(rows).types(count)

    def of_sums(self, builder: Builder, sums: Sequence[Value], rows: Rows) -> Value:
        return self._split(rows).total(builder, [builder.add(Widen(), total) for total in sums])
