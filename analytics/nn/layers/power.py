"""Powers of one value, in float64."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from analytics.nn.layers.on_domain import NEAR, OnDomainRules, sizes, smallest
from analytics.nn.layers.rules import MARGIN, Deviation, Incoming, Range, Tensor, Tensors
from icm_ray.network.layers import Power
from icm_ray.network.model import Lowered
from icm_ray.network.scheme import Scheme

__all__ = ["PowerRules"]


class PowerRules(OnDomainRules[Power]):
    """Steepest where values are smallest; a root's difference is no larger than the root of the difference."""

    def evaluate(self, layer: Power, inputs: Sequence[Tensor], weights: Tensors) -> Tensor:
        return inputs[0] ** layer.exponent

    def interval(self, layer: Power, inputs: Sequence[Range], weights: Tensors, scheme: Scheme) -> Range:
        domain, rounding = scheme.domains[layer.name], 2.0 ** (3 - scheme.f)
        low, high = sizes(inputs[0], domain)
        if layer.exponent > 0:
            return Range(low**layer.exponent / NEAR - rounding, high**layer.exponent * NEAR + rounding)
        least, most = high**layer.exponent / NEAR - rounding, low**layer.exponent * NEAR + rounding
        if domain.sign == 0:
            return Range(-most, most)
        return Range(least, most) if domain.sign > 0 else Range(-most, -least)

    def deviate(
        self, layer: Power, inputs: Sequence[Incoming], weights: Tensors, lowered: Lowered
    ) -> tuple[Deviation, float]:
        d, p = inputs[0].deviation.cells, layer.exponent
        least = smallest(inputs[0], lowered.domains[layer.name])
        slope = abs(p) * least ** (p - 1) * MARGIN
        cells = torch.nan_to_num(slope * d, nan=0.0, posinf=math.inf)
        if p > 0:
            cells = torch.minimum(cells, d**p)
        return Deviation(cells, float(cells.norm())), math.inf
