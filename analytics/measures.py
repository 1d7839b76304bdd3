"""Statistics: which quantities they take, what alone is opened of them, and how that is read.

Sums and means open the sum (the number of rows is public). Variances and standard deviations open V = N S2 - S1^2,
taken on shares in the wide ring; neither the sum nor the sum of squares is opened, and the recipient divides.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from analytics.bound import EXACT, ErrorBound
from analytics.quantity import Part, Quantity, QuantityKind, Rows
from icm_ray.errors import BoundError
from icm_ray.ops.linear import Scale, Subtract
from icm_ray.ops.values import Kind, ValueType
from icm_ray.ops.wide import WideProduct
from icm_ray.program.build import Builder, Value
from icm_ray.ring.fixed import float_of_key
from icm_ray.ring.wide import LIMBS, to_integers, to_signed

__all__ = ["Count", "Extreme", "Mean", "Measure", "Opened", "Total", "Variance"]

_DOUBLE = 2.0**-52


@dataclass(frozen=True, slots=True)
class Opened:
    """A value that was opened, and its type."""

    words: NDArray[np.uint64]
    type: ValueType

    @property
    def integers(self) -> list[int]:
        """Its numbers in units of 2^-f, flat."""
        if self.type.kind is Kind.WIDE:
            return to_signed(to_integers(self.words.reshape(-1, LIMBS)))
        return self.words.reshape(-1).view(np.int64).tolist()

    @property
    def number(self) -> Fraction:
        """The only number of a value (1,), exactly."""
        return Fraction(self.integers[0], 1 << self.type.f)


class Measure(Protocol):
    """One statistic of one column."""

    @property
    def rows(self) -> Rows:
        """Of what rows."""

    @property
    def column(self) -> str:
        """Of which column."""

    @property
    def title(self) -> str:
        """What it is, in words: "mean of cost"."""

    @property
    def error(self) -> ErrorBound:
        """How far the result may be from the plaintext one."""

    @property
    def opens(self) -> str:
        """What is opened, in words."""

    def parts(self) -> tuple[Part, ...]:
        """What it takes of the lanes; empty: it is public, and nothing is opened."""

    def finish(self, builder: Builder, values: Sequence[Value]) -> dict[str, Value]:
        """The values to open, by a word that says what they are; `values`: those of `parts`."""

    def decode(self, opened: Mapping[str, Opened]) -> Any:
        """The result."""


@dataclass(frozen=True, slots=True)
class _OfColumn:
    rows: Rows
    column: str

    @property
    def kind(self) -> str:
        """Of the column: "int", "float" or "bool"."""
        return next(info.kind for info in self.rows.columns if info.name == self.column)

    @property
    def whole(self) -> bool:
        """Whether results are integers."""
        return self.kind != "float"

    def part(self, kind: QuantityKind, edges: tuple[float, ...] = ()) -> Part:
        return Part(self.rows, self.rows.fits(Quantity(kind, self.column, edges)))


@dataclass(frozen=True, slots=True)
class Count(_OfColumn):
    """The number of values, an int: that of the rows, which is public. Owners see to it that no value is missing.

    Shares have no missing values, so nothing is opened there.
    """

    @property
    def title(self) -> str:
        return f"count of {self.column}"

    @property
    def error(self) -> ErrorBound:
        return EXACT

    @property
    def opens(self) -> str:
        if self.rows.shared:
            return "nothing: the number of rows is public"
        return f"the number of values: {self.rows.count}, that of the rows, which is public"

    def parts(self) -> tuple[Part, ...]:
        return () if self.rows.shared else (self.part(QuantityKind.VALUES),)

    def finish(self, builder: Builder, values: Sequence[Value]) -> dict[str, Value]:
        return {"count": values[0]} if values else {}

    def decode(self, opened: Mapping[str, Opened]) -> int:
        return opened["count"].integers[0] if opened else self.rows.count


@dataclass(frozen=True, slots=True)
class Total(_OfColumn):
    """The sum: an int for integers and booleans, exactly, else a float."""

    @property
    def title(self) -> str:
        return f"sum of {self.column}"

    @property
    def error(self) -> ErrorBound:
        return EXACT if self.whole else ErrorBound(self.rows.count * self.rows.rounding(self.column), _DOUBLE)

    @property
    def opens(self) -> str:
        return "the sum"

    def parts(self) -> tuple[Part, ...]:
        return (self.part(QuantityKind.TOTAL),)

    def finish(self, builder: Builder, values: Sequence[Value]) -> dict[str, Value]:
        return {"sum": values[0]}

    def decode(self, opened: Mapping[str, Opened]) -> int | float:
        total = opened["sum"].number
        return int(total) if self.whole else float(total)


@dataclass(frozen=True, slots=True)
class Mean(_OfColumn):
    """The mean, a float: the sum is opened, and divided by the public number of rows."""

    @property
    def title(self) -> str:
        return f"mean of {self.column}"

    @property
    def error(self) -> ErrorBound:
        return ErrorBound(self.rows.rounding(self.column), _DOUBLE)

    @property
    def opens(self) -> str:
        return f"the sum, to be divided by {self.rows.count}: the number of rows is public"

    def parts(self) -> tuple[Part, ...]:
        return (self.part(QuantityKind.TOTAL),)

    def finish(self, builder: Builder, values: Sequence[Value]) -> dict[str, Value]:
        return {"sum": values[0]}

    def decode(self, opened: Mapping[str, Opened]) -> float:
        return float(opened["sum"].number / self.rows.count)


@dataclass(frozen=True, slots=True)
class Variance(_OfColumn):
    """The variance (N S2 - S1^2) / (N (N - ddof)) or its root, a float; NaN where N <= ddof, as pandas has it.

    With every value off by at most d, the root of a sum of N squares is off by at most d sqrt(N), so the standard
    deviation by e = d sqrt(N / (N - ddof)), and the variance by 2 e std + e^2.
    """

    ddof: int = 1
    root: bool = False

    @property
    def title(self) -> str:
        return f"{'std' if self.root else 'var'} of {self.column} (ddof={self.ddof})"

    @property
    def defined(self) -> bool:
        """Whether there are more rows than ddof."""
        return self.rows.count > self.ddof

    @property
    def error(self) -> ErrorBound:
        if not self.defined:
            return EXACT
        off = self.rows.rounding(self.column) * math.sqrt(self.rows.count / (self.rows.count - self.ddof))
        return ErrorBound(off, _DOUBLE) if self.root else ErrorBound(3 * off**2, _DOUBLE, 2 * off)

    @property
    def opens(self) -> str:
        if not self.defined:
            return f"nothing: the result of {self.rows.count} rows with ddof={self.ddof} is NaN"
        return "V = N S2 - S1^2 alone, N the public number of rows; neither the sum S1 nor the sum of squares S2"

    def parts(self) -> tuple[Part, ...]:
        return (self.part(QuantityKind.WIDE_TOTAL), self.part(QuantityKind.SQUARES)) if self.defined else ()

    def finish(self, builder: Builder, values: Sequence[Value]) -> dict[str, Value]:
        if not self.defined:
            return {}
        total, squares = values
        try:
            scaled = builder.add(Scale(self.rows.count), squares)
            return {"V": builder.add(Subtract(), scaled, builder.add(WideProduct(), total, total))}
        except BoundError as error:
            reason = f"{self.title}: {self.rows.count} rows in so many parts need more than 256 bits ({error})"
            raise BoundError(reason, column=self.column) from None

    def decode(self, opened: Mapping[str, Opened]) -> float:
        if not self.defined:
            return math.nan
        count = self.rows.count
        variance = float(max(opened["V"].number, Fraction(0)) / (count * (count - self.ddof)))
        return math.sqrt(variance) if self.root else variance


@dataclass(frozen=True, slots=True)
class Extreme(_OfColumn):
    """The least or largest value; min is -max(-x). An int for integers and booleans, exactly, else a float."""

    least: bool = False

    @property
    def title(self) -> str:
        return f"{'min' if self.least else 'max'} of {self.column}"

    @property
    def error(self) -> ErrorBound:
        if self.whole:
            return EXACT
        if self.rows.shared:
            return ErrorBound(self.rows.rounding(self.column), _DOUBLE)
        return ErrorBound(2.0**-511, 0.0)  # an order key takes smaller magnitudes for zero

    @property
    def opens(self) -> str:
        return f"the {'least' if self.least else 'largest'} value"

    def parts(self) -> tuple[Part, ...]:
        return (self.part(QuantityKind.NEGATED if self.least else QuantityKind.LARGEST),)

    def finish(self, builder: Builder, values: Sequence[Value]) -> dict[str, Value]:
        value = builder.add(Scale(-1), values[0]) if self.least else values[0]
        return {"min" if self.least else "max": value}

    def decode(self, opened: Mapping[str, Opened]) -> int | float:
        value = opened["min" if self.least else "max"]
        if self.whole:
            return value.integers[0]
        if self.rows.shared:
            return float(value.number)
        return float(float_of_key(np.array(value.integers, np.int64))[0])
