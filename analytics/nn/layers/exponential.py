"""Exponentials, in float64."""

from __future__ import annotations

import math
from collections.abc import Sequence

from analytics.nn.layers.on_domain import NEAR, OnDomainRules
from analytics.nn.layers.rules import MARGIN, Deviation, Incoming, Range, Tensor, Tensors
from icm_ray.network.layers import Exponential
from icm_ray.network.model import Lowered
from icm_ray.network.scheme import Domain, Scheme

__all__ = ["ExponentialRules"]


class ExponentialRules(OnDomainRules[Exponential]):
    """e^(x + d) - e^x = e^x (e^d - 1)."""

    def evaluate(self, layer: Exponential, inputs: Sequence[Tensor], weights: Tensors) -> Tensor:
        return inputs[0].exp()

    def interval(self, layer: Exponential, inputs: Sequence[Range], weights: Tensors, scheme: Scheme) -> Range:
        domain = scheme.domains[layer.name]
        off = 2.0**domain.high * (NEAR - 1) * 2.0**-4 + 2.0 ** (1 - scheme.f)
        low, high = (_within(end, domain).exp() for end in (inputs[0].low, inputs[0].high))
        return Range((low - off).clamp(min=-off), high + off)

    def deviate(
        self, layer: Exponential, inputs: Sequence[Incoming], weights: Tensors, lowered: Lowered
    ) -> tuple[Deviation, float]:
        (x,) = inputs
        top = _within(x.range.high, lowered.domains[layer.name]).exp()
        cells = top * x.deviation.cells.expm1() * MARGIN
        return Deviation(cells, float(cells.norm())), math.inf


def _within(x: Tensor, domain: Domain) -> Tensor:
    return x.clamp(max=domain.high * math.log(2))
