"""What functions take and give on shares: public values, and a number for every row with a bit where it is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from icm_ray.errors import BoundError, ColumnError
from icm_ray.ops.compare import AtLeast
from icm_ray.ops.forms import Elementwise
from icm_ray.ops.linear import Add, AddPublic, AssumeWidth, Scale, Subtract
from icm_ray.ops.products import Product
from icm_ray.ops.values import FULL_WIDTH
from icm_ray.program.build import Builder, Value
from icm_ray.query.expressions.tree import Scalar
from icm_ray.query.grid import ONES, Grid

__all__ = ["BIT_WIDTH", "Lowering", "Operand", "Public", "RowBuild", "Secret", "before_sharing"]

BIT_WIDTH = 2


@dataclass(frozen=True, slots=True)
class Public:
    """A public value, the same in every row. kind: of the column kinds; a fraction is a place between integers."""

    value: Scalar | Fraction
    kind: str


@dataclass(frozen=True, slots=True)
class Secret:
    """A share for every row. kind: of the column kinds; text is the place of each value in the domain, from 1 on.

    value: (rows,). there: bits (rows,), 0 where a value is missing; None: none is. blank: what the ring element is
    there, in units of 2^-f; None: anything. grid: what the numbers of kinds that have a unit stand for.
    """

    kind: str
    value: Value
    there: Value | None = None
    blank: int | None = None
    domain: tuple[str, ...] = ()
    grid: Grid = ONES


Operand = Public | Secret


def before_sharing(what: str) -> ColumnError:
    """The error for what is not computed on shares."""
    return ColumnError(f"{what} is not computed on shares: do that before .share()")


@dataclass(frozen=True, slots=True)
class RowBuild:
    """Writes what is computed row by row. like: any share of these rows, to make public values of."""

    builder: Builder
    like: Value

    def constant(self, integer: int, f: int = 0) -> Value:
        """Shares of a public number in every row, in units of 2^-f; nothing is sent."""
        nothing = self.builder.add(AssumeWidth(1, 0.0), self.builder.add(Scale(0, f - self.like.type.f), self.like))
        return self.plus(nothing, integer)

    def plus(self, x: Value, integer: int) -> Value:
        """x and a public number in units of 2^-f."""
        return self.builder.add(AddPublic(integer), x) if integer else x

    def scaled(self, x: Value, f: int) -> Value:
        """The same with so many fractional bits, as many as x has or more: exact."""
        more = f - x.type.f
        return self.builder.add(Scale(1 << more, more), x) if more else x

    def aligned(self, a: Value, b: Value) -> tuple[Value, Value]:
        """Both with the fractional bits of the one that has more."""
        f = max(a.type.f, b.type.f)
        return self.scaled(a, f), self.scaled(b, f)

    def sum(self, a: Value, b: Value) -> Value:
        """a + b of any fractional bits."""
        return self.builder.add(Add(), *self.aligned(a, b))

    def difference(self, a: Value, b: Value) -> Value:
        """a - b of any fractional bits."""
        return self.builder.add(Subtract(), *self.aligned(a, b))

    def bit(self, x: Value) -> Value:
        """What is known to be 0 or 1."""
        return self.builder.add(AssumeWidth(BIT_WIDTH, 0.0), x)

    def inverse(self, bit: Value) -> Value:
        """1 - bit."""
        return self.bit(self.plus(self.builder.add(Scale(-1), bit), 1))

    def times(self, bit: Value, x: Value) -> Value:
        """x where the bit is 1, else 0: one round."""
        product = self.builder.add(Product(Elementwise()), bit, x)
        return self.builder.add(AssumeWidth(x.type.width), product)

    def both(self, a: Value | None, b: Value | None) -> Value | None:
        """Bits that are 1 where both are; None stands for 1 everywhere."""
        if a is None or b is None or a.node == b.node:
            return b if a is None else a
        return self.times(a, b)

    def at_least(self, x: Value, integer: int, least: int | None = None, most: int | None = None) -> Value:
        """Bits [x >= integer], in units of 2^-f. least, most: where they are known better than from the width."""
        reach = (1 << (x.type.width - 1)) - 1
        least, most = -reach if least is None else least, reach if most is None else most
        if integer <= least or integer > most:
            return self.constant(int(integer <= least))
        if (least, most) == (0, 1) and not x.type.f:
            return self.bit(x)
        if x.type.width + 1 > FULL_WIDTH:
            raise BoundError(f"a comparison of values of {x.type.width} bits does not fit; declare a smaller bound")
        return self.builder.add(AtLeast(integer, x.type.width + 1), x)

    def filled(self, x: Secret, integer: int) -> Value:
        """The value, and a public one (in units of 2^-f) where it is missing; free where what stands there is known."""
        if x.there is None or x.blank == integer:
            return x.value
        if x.blank is None:
            away = self.plus(x.value, -integer)
            kept = self.plus(self.builder.add(Product(Elementwise()), x.there, away), integer)
        else:
            missing = self.inverse(x.there)
            step = self.builder.add(Scale(integer - x.blank, x.value.type.f), missing)
            kept = self.builder.add(Add(), x.value, step)
        width = max(x.value.type.width, abs(integer).bit_length() + 1)
        return self.builder.add(AssumeWidth(width), kept)

    def secret(self, operand: Operand) -> Secret:
        """Shares, also of a public number or of nothing."""
        if isinstance(operand, Secret):
            return operand
        value = operand.value
        if value is None:
            return Secret("null", self.constant(0), self.bit(self.constant(0)), 0)
        if isinstance(value, bool):
            return Secret("bool", self.bit(self.constant(int(value))))
        if isinstance(value, int):
            return Secret("int", self.constant(value))
        if isinstance(value, float):
            return Secret("float", self.real(value))
        raise before_sharing(f"text of no stated values ({value!r})")

    def real(self, value: float) -> Value:
        """Shares of a double in every row, as near as 64 bits have it."""
        numerator, denominator = value.as_integer_ratio()
        f = min(denominator.bit_length() - 1, max(0, 44 - abs(int(value)).bit_length()))
        units = Fraction(numerator << f, denominator)
        made = self.constant(round(units), f)
        exact = units.denominator == 1
        return made if exact else self.builder.add(AssumeWidth(made.type.width, 2.0 ** -(f + 1)), made)


Lowering = Callable[[RowBuild, Sequence[Operand], Sequence[Scalar]], Operand]
"""A function on shares, from operands and options. Errors: `ColumnError` (it is not computed on shares of these),
`BoundError` (a result does not fit).
"""
