"""Quotients of two branches, in float64."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from analytics.nn.layers.on_domain import NEAR, OnDomainRules, sizes, smallest
from analytics.nn.layers.rules import MARGIN, Deviation, Incoming, Range, Tensor, Tensors
from icm_ray.network.layers import Quotient
from icm_ray.network.model import Lowered
from icm_ray.network.scheme import Scheme

__all__ = ["QuotientRules"]


class QuotientRules(OnDomainRules[Quotient]):
    """a / b - a' / b' = (a - a') / b' + a (b' - b) / (b b'): small divisors make it large."""

    def evaluate(self, layer: Quotient, inputs: Sequence[Tensor], weights: Tensors) -> Tensor:
        return inputs[0] / inputs[1]

    def interval(self, layer: Quotient, inputs: Sequence[Range], weights: Tensors, scheme: Scheme) -> Range:
        a, domain = inputs[0], scheme.domains[layer.name]
        low, high = sizes(inputs[1], domain)
        ends = torch.stack([a.low / low, a.low / high, a.high / low, a.high / high])
        least, most = ends.amin(0), ends.amax(0)
        if domain.sign < 0:
            least, most = -most, -least
        if domain.sign == 0:
            most = torch.maximum(least.abs(), most.abs())
            least = -most
        off = torch.maximum(least.abs(), most.abs()) * (NEAR - 1) + 2.0 ** (3 - scheme.f)
        return Range(least - off, most + off)

    def deviate(
        self, layer: Quotient, inputs: Sequence[Incoming], weights: Tensors, lowered: Lowered
    ) -> tuple[Deviation, float]:
        a, b = inputs
        domain = lowered.domains[layer.name]
        low, _ = sizes(b.range, domain)
        least = smallest(b, domain)
        by_b = torch.nan_to_num(a.range.magnitude * b.deviation.cells / (low * least), nan=0.0, posinf=math.inf)
        by_a = torch.nan_to_num(a.deviation.cells / least, nan=0.0, posinf=math.inf)
        cells = (by_a + by_b) * MARGIN
        return Deviation(cells, float(cells.norm())), math.inf
