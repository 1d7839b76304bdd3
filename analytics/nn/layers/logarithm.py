"""Logarithms, in float64."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from analytics.nn.layers.on_domain import OnDomainRules, sizes, smallest
from analytics.nn.layers.rules import MARGIN, Deviation, Incoming, Range, Tensor, Tensors
from icm_ray.network.layers import Logarithm
from icm_ray.network.model import Lowered
from icm_ray.network.scheme import Scheme

__all__ = ["LogarithmRules"]


class LogarithmRules(OnDomainRules[Logarithm]):
    """Steepest where values are smallest."""

    def evaluate(self, layer: Logarithm, inputs: Sequence[Tensor], weights: Tensors) -> Tensor:
        return inputs[0].log()

    def interval(self, layer: Logarithm, inputs: Sequence[Range], weights: Tensors, scheme: Scheme) -> Range:
        low, high = sizes(inputs[0], scheme.domains[layer.name])
        off = 1e-4 + 2.0 ** (2 - scheme.f)
        return Range(low.log() - off, high.log() + off)

    def deviate(
        self, layer: Logarithm, inputs: Sequence[Incoming], weights: Tensors, lowered: Lowered
    ) -> tuple[Deviation, float]:
        least = smallest(inputs[0], lowered.domains[layer.name])
        cells = torch.nan_to_num(inputs[0].deviation.cells / least * MARGIN, nan=0.0, posinf=math.inf)
        return Deviation(cells, float(cells.norm())), math.inf
