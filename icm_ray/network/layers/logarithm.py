"""Logarithms of one value."""

from __future__ import annotations

from collections.abc import Sequence

from icm_ray.functions.reciprocal import logarithm
from icm_ray.network.layer import NetworkBuild, Shape
from icm_ray.network.layers.on_domain import OnDomain
from icm_ray.program.build import Value

__all__ = ["Logarithm"]


class Logarithm(OnDomain, frozen=True, kw_only=True, tag="logarithm"):
    """y = log x."""

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        return self.only(inputs)

    def lower(self, program: NetworkBuild) -> Value:
        x, domain, _ = self.on_domain(program)
        y = logarithm(program.builder, x, domain.low, domain.high, program.scheme.f)
        program.off(self.name, y.type.error)
        return y
