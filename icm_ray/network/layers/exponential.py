"""Exponentials of one value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from icm_ray.functions.activations import exp_negative
from icm_ray.network.layer import NetworkBuild, Shape
from icm_ray.network.layers.on_domain import FINE, OnDomain, count_beyond, raised_to
from icm_ray.ops import linear
from icm_ray.program.build import Value

__all__ = ["Exponential"]

_MOST_BITS = 28
_USUAL = 2


class Exponential(OnDomain, frozen=True, kw_only=True, tag="exponential"):
    """y = e^x = 2^k e^(x - k log 2), with e^x <= 2^k."""

    grows: ClassVar[bool] = True

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        return self.only(inputs)

    def lower(self, program: NetworkBuild) -> Value:
        domain, f = self.domain(program), program.scheme.f
        x = program.settled(self.source, max(min(FINE - f, 8), 0))
        k = domain.high
        if domain.checked:
            count_beyond(program, x, None, math.floor(math.ldexp(k * math.log(2), x.type.f)))
        x = raised_to(program, program.add(linear.AssumeWidth(x.type.width, 0.0), x), FINE)
        edge = math.ceil(math.ldexp(k * math.log(2), x.type.f))
        below = program.add(linear.AddPublic(-edge), x)
        bits = max(4, min(f + 4 + k, _MOST_BITS))
        y = exp_negative(program.builder, below, bits)
        off = (y.type.error + 2.0**-x.type.f) * 2.0**k
        program.off(self.name, off, max(_USUAL * 2.0 ** (k - bits), off / 8))
        return program.add(linear.Rescale(-k), y)
