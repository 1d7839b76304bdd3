"""Exponential linear units."""

from __future__ import annotations

import math
from collections.abc import Sequence

from icm_ray.functions.activations import exp_negative
from icm_ray.network.layer import Layer, NetworkBuild, Shape
from icm_ray.network.layers.factors import coded, factor_bits
from icm_ray.network.layers.smooth import exact
from icm_ray.ops import linear, products
from icm_ray.program.build import Value

__all__ = ["Elu"]


class Elu(Layer, frozen=True, kw_only=True, tag="elu"):
    """y = scale max(x, 0) + scale alpha (e^min(x, 0) - 1), with public positive numbers."""

    alpha: float
    scale: float

    @property
    def bits(self) -> int:
        """Fractional bits of the factors."""
        return factor_bits((self.scale, self.scale * self.alpha))

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        source = self.only(inputs)
        self.need(all(math.isfinite(number) and 0 < number < 2**10 for number in (self.alpha, self.scale)), source)
        return source

    def lower(self, program: NetworkBuild) -> Value:
        """min(x, 0) = x - max(x, 0), exactly; both parts have the bits of x and of the factors."""
        x = exact(program, self)
        f, bits = x.type.f, self.bits
        above = program.add(products.Relu(products.Epilogue(0, True, max(x.type.width, 2))), x)
        below = program.add(linear.AssumeWidth(x.type.width), program.add(linear.Subtract(), x, above))
        power = exp_negative(program.builder, below)
        power = program.add(linear.AddPublic(-(1 << f)), power)
        outer = self.scale * self.alpha
        parts = [(above, self.scale), (power, outer)]
        scaled = [program.add(linear.Scale(coded(factor, bits), bits), part) for part, factor in parts]
        y = program.add(linear.Add(), *scaled)
        rounding = max(abs(coded(factor, bits) * 2.0**-bits - factor) for _, factor in parts)
        program.off(self.name, outer * power.type.error + rounding * (1 + x.type.magnitude))
        return y
