"""Rounding to whole multiples of a public number, exactly: floor, the nearest, and what is left over.

A truncation gives a quotient that a public coin may have rounded either way; comparisons of what is left over say by
how much it is off, so that the result is that of the fixed-point value, whatever the coin was.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

from icm_ray.errors import BoundError
from icm_ray.network.layer import Layer, NetworkBuild, Shape
from icm_ray.network.layers.factors import coded
from icm_ray.ops import compare, linear, products
from icm_ray.ops.values import FULL_WIDTH
from icm_ray.program.build import Value

__all__ = ["LARGEST_DIVISOR", "LEAST_DIVISOR", "Part", "Rounded", "divisor_error", "divisor_taken"]

Part: TypeAlias = Literal["floor", "nearest", "remainder"]
LARGEST_DIVISOR: Final = 2.0**20
LEAST_DIVISOR: Final = 2.0**-10
_DIVISOR_BITS: Final = 20
_ROOM: Final = FULL_WIDTH - 2


def divisor_error(divisor: float, f: int = _DIVISOR_BITS) -> float:
    """By how much the divisor of values with f fractional bits differs from `divisor`; without f at most."""
    return abs(divisor_taken(divisor, f) - divisor)


def divisor_taken(divisor: float, f: int = _DIVISOR_BITS) -> float:
    """The divisor of values with f fractional bits."""
    return math.ldexp(coded(divisor, f), -f)


class Rounded(Layer, frozen=True, kw_only=True, tag="rounded"):
    """q = floor(x / divisor), or the whole number that is nearest to x (the even one of two), or x - divisor q.

    The divisor is from 2^-10 to 2^20, taken with 20 fractional bits where it has more; for the nearest it is 1.
    """

    part: Part
    divisor: float = 1.0

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        source = self.only(inputs)
        self.need(LEAST_DIVISOR <= self.divisor < LARGEST_DIVISOR, source)
        self.need(self.part != "nearest" or self.divisor == 1, source)
        return source

    def lower(self, program: NetworkBuild) -> Value:
        x = program.settled(self.inputs[0])
        if x.type.f < _DIVISOR_BITS and divisor_error(self.divisor, x.type.f):
            x = program.raised(x, _DIVISOR_BITS)
        f = x.type.f
        if self.part == "nearest":
            return self._nearest(program, x) if f else x
        unit = coded(self.divisor, f)
        quotient, left = _divided(program, x, unit)
        if self.part == "remainder":
            return program.add(linear.AssumeWidth(unit.bit_length() + 1), left)
        most = math.ceil(x.type.magnitude * 2**f / unit) + 1
        return program.add(linear.AssumeWidth(most.bit_length() + 1), quotient)

    @staticmethod
    def _nearest(program: NetworkBuild, x: Value) -> Value:
        """2 q + [x - 2 q > 1/2] with q = floor((x + 1/2) / 2): what lies half-way belongs to the even number."""
        f, half = x.type.f, 1 << (x.type.f - 1)
        quotient, left = _divided(program, program.add(linear.AddPublic(half), x), 2 << f)
        odd = program.add(compare.AtLeast(2 * half + 1, f + 3), program.add(linear.AssumeWidth(f + 2), left))
        y = program.add(linear.Add(), program.add(linear.Scale(2), quotient), odd)
        most = math.ceil(x.type.magnitude) + 1
        return program.add(linear.AssumeWidth(most.bit_length() + 1), y)


def _divided(program: NetworkBuild, x: Value, unit: int) -> tuple[Value, Value]:
    """floor(x / unit) as whole numbers, and x - unit floor(x / unit), of x as integers; both exact.

    With m = 2^b / unit, rounded, and as many bits b as x has, x m / 2^b is off by less than 1/2, and a truncation of it
    from -1 to 2 above the floor. For a power of two it is the floor, or 1 more.
    """
    shift = unit.bit_length() - 1
    plain = unit == 1 << shift
    if plain and not shift:
        return program.add(linear.Rescale(-x.type.f), x), program.add(linear.Subtract(), x, x)
    bits = shift if plain else x.type.width + 1
    y = x if plain else program.add(linear.Scale(((1 << bits) + unit // 2) // unit), x)
    if y.type.width >= _ROOM:
        raise BoundError(f"values of {x.type.width} bits are too many to divide; declare a smaller bound before it")
    # as an integer: its fractional bits are the division's, whatever those of x are
    y = program.add(linear.Rescale(bits - y.type.f), y)
    guess = program.add(products.Truncate(products.Epilogue(bits, False, max(y.type.width + 1, bits + 2))), y)
    taken = program.add(linear.Scale(unit, x.type.f), guess)
    reach = (unit if plain else 2 * unit).bit_length() + 1
    left = program.add(linear.AssumeWidth(reach, 0.0), program.add(linear.Subtract(), x, taken))
    edges = (0,) if plain else (-unit, 0, unit)
    quotient = program.add(linear.AddPublic(-1 if plain else -2), guess)
    for edge in edges:  # one more for each that is reached
        quotient = program.add(linear.Add(), quotient, program.add(compare.AtLeast(edge, reach + 2), left))
    exact = program.add(linear.Scale(unit, x.type.f), quotient)
    return quotient, program.add(linear.Subtract(), x, exact)
