"""Piecewise linear functions of one value with public numbers: leaky ReLU, clamp, absolute value, hard sigmoid."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, TypeAlias

from msgspec.structs import replace

from icm_ray.network.layer import Layer, NetworkBuild, Shape
from icm_ray.network.layers.factors import coded, factor_bits
from icm_ray.ops import linear, products
from icm_ray.program.build import Value

__all__ = ["LARGEST", "Bend", "Bent"]

Bend: TypeAlias = tuple[float, float]
LARGEST: Final = 2.0**20
"""All numbers of the function are smaller."""
_MOST: Final = 64  # bends: each is a comparison of every value


class Bent(Layer, frozen=True, kw_only=True, tag="bent"):
    """y = offset + slope x + the sum of change max(x - at, 0) over all bends (at, change), which are public."""

    offset: float
    slope: float
    bends: tuple[Bend, ...]

    @property
    def bits(self) -> int:
        """Fractional bits of the slopes."""
        return factor_bits([self.slope, *(change for _, change in self.bends)])

    @property
    def steepest(self) -> float:
        """The largest slope in magnitude."""
        slopes = [self.slope]
        for _, change in sorted(self.bends):
            slopes.append(slopes[-1] + change)
        return max(map(abs, slopes))

    @property
    def span(self) -> float:
        """The largest value less the smallest one; infinite where it rises or falls for ever."""
        if self.slope or not self.bends or sum(change for _, change in self.bends):
            return math.inf
        values = [self.at(at) for at, _ in self.bends]
        return max(values) - min(values)

    @property
    def turns(self) -> float:
        """The sum of the changes' magnitudes, and of the offset's unit: what rounded places of bends weigh."""
        return 1.0 + sum(abs(change) for _, change in self.bends)

    def _placed(self, f: int) -> float:
        """What rounding does to the places of the bends, and to the offset."""
        moved = sum(abs(change * (at - math.ldexp(coded(at, f), -f))) for at, change in self.bends)
        return moved + abs(self.offset - math.ldexp(coded(self.offset, f + self.bits), -f - self.bits))

    def taken(self, f: int) -> Bent:
        """The function with its numbers as the ring has them, where its values have f fractional bits."""
        bits = self.bits
        places = f - bits
        bends = tuple((_as_coded(at, places), _as_coded(change, bits)) for at, change in self.bends)
        return replace(self, offset=_as_coded(self.offset, f), slope=_as_coded(self.slope, bits), bends=bends)

    def reach(self, magnitude: float) -> float:
        """The largest |y| of |x| <= magnitude."""
        points = [-magnitude, magnitude, *(at for at, _ in self.bends if abs(at) < magnitude)]
        return max(abs(self.at(x)) for x in points)

    def at(self, x: float) -> float:
        """The function's value."""
        return self.offset + self.slope * x + sum(change * max(x - at, 0.0) for at, change in self.bends)

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        source = self.only(inputs)
        self.need(len(self.bends) <= _MOST, source)
        numbers = (self.offset, self.slope, *(number for bend in self.bends for number in bend))
        self.need(all(math.isfinite(number) and abs(number) < LARGEST for number in numbers), source)
        return source

    def lower(self, program: NetworkBuild) -> Value:
        """A ReLU for each bend, side by side; f grows by the slopes' bits."""
        x = program.settled(self.inputs[0])
        more = program.scheme.f - x.type.f
        if more > 0 and self._placed(x.type.f):  # whole numbers, which its own numbers are not
            x = program.add(linear.Scale(2**more, more), x)
        f, bits = x.type.f, self.bits
        terms = [_times(program, x, self.slope, bits)] if self.slope or not self.bends else []
        for at, change in self.bends:
            shift = coded(at, f)
            moved = program.add(linear.AddPublic(-shift), x) if shift else x
            above = program.add(products.Relu(products.Epilogue(0, True, max(moved.type.width, 2))), moved)
            terms.append(_times(program, above, change, bits))
        y = terms[0]
        for term in terms[1:]:
            y = program.add(linear.Add(), y, term)
        if self.offset:
            y = program.add(linear.AddPublic(coded(self.offset, f + bits)), y)
        program.off(self.name, self._placed(f))
        program.result_bits[self.name] = f + bits
        # the slopes' own rounding and that of the bends' places come on top
        most = x.type.magnitude
        taken = most + sum(max(most - at, 0.0) for at, _ in self.bends)  # what rounded slopes multiply, together
        reach = self.reach(most) + taken * 2.0 ** -(bits + 1)
        whole = math.ceil((reach + self.turns * 2.0**-f) * 2.0 ** (f + bits)) + 1
        return program.add(linear.AssumeWidth(whole.bit_length() + 1), y)


def _as_coded(number: float, bits: int) -> float:
    return math.ldexp(coded(number, bits), -bits)


def _times(program: NetworkBuild, x: Value, factor: float, bits: int) -> Value:
    constant = coded(factor, bits)
    return x if (constant, bits) == (1, 0) else program.add(linear.Scale(constant, bits), x)
