"""Powers of one value: roots, reciprocals, reciprocals of roots."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec.structs import replace

from icm_ray.functions.reciprocal import negative_power, relative_error
from icm_ray.network.layer import NetworkBuild, Shape
from icm_ray.network.layers.on_domain import OnDomain
from icm_ray.ops.forms import Elementwise
from icm_ray.ops.products import Product
from icm_ray.ops.values import FULL_WIDTH
from icm_ray.program.build import Value

__all__ = ["Power"]

_USUAL = 8  # rounding units that results of about 1 are off by
_OUTER = 38  # bits of a negative power
_ROOM = FULL_WIDTH - 3  # of a product that is truncated, without its sign


class Power(OnDomain, frozen=True, kw_only=True, tag="power"):
    """y = x^exponent with a public exponent from -1 to 1, without 0 and 1; of values below zero -1 alone.

    Below zero: x (x^(exponent - 1)) for a positive exponent, from the least power of two of the domain on.
    """

    exponent: float

    @property
    def signed(self) -> bool:
        return self.exponent == -1

    @property
    def at_zero(self) -> bool:
        return self.exponent > 0

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        source = self.only(inputs)
        self.need(-1 <= self.exponent < 1 and self.exponent != 0, source)
        return source

    def lower(self, program: NetworkBuild) -> Value:
        x, domain, ones = self.on_domain(program)
        low, high, f, exponent = domain.low, domain.high, program.scheme.f, self.exponent
        if exponent > 0:
            return self._root(program, x, low, high)
        above = max(math.ceil(-exponent * low), 0)  # bits of the largest result, before the point
        bits = min(max(f + math.ceil(-exponent * high), f), f + 8, _OUTER - above)
        y = negative_power(program.builder, x, low, high, exponent, bits)
        program.off(self.name, y.type.error, _USUAL * 2.0**-f)
        return self.with_sign(program, y, domain, ones)

    def _root(self, program: NetworkBuild, x: Value, low: int, high: int) -> Value:
        f, rest = program.scheme.f, self.exponent - 1
        above = max(math.ceil(-rest * low), 0)
        reach = max(math.ceil(self.exponent * high), math.ceil(self.exponent * low)) + 1
        bits = min(f + 4 + max(high, 0), _OUTER - above, _ROOM - x.type.f - reach)
        inverse = negative_power(program.builder, x, low, high, rest, bits)
        op = Product(Elementwise(), bound=reach)
        raw = op.infer(x.type, inverse.type)
        y = program.add(replace(op, epilogue=program.epilogue(raw, relu=False)), x, inverse)
        off = 2.0 ** (self.exponent * high) * relative_error(rest, x.type.f, high) + 2.0 ** (high - bits + 1) + 2.0**-f
        least = 2.0 ** (self.exponent * low)
        program.off(self.name, off + least, _USUAL * 2.0**-f)
        return y
