"""Comparisons with a public number, in float64."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from analytics.nn.layers.rules import Deviation, Incoming, LayerRules, Range, Tensor, Tensors
from icm_ray.network.layers import AtLeast
from icm_ray.network.model import Lowered
from icm_ray.network.scheme import Scheme

__all__ = ["AtLeastRules"]


class AtLeastRules(LayerRules[AtLeast]):
    """Off by 1 where the value can be as near to the number as its difference to real arithmetic."""

    def evaluate(self, layer: AtLeast, inputs: Sequence[Tensor], weights: Tensors) -> Tensor:
        (x,) = inputs
        return (x > layer.at if layer.strict else x >= layer.at).to(torch.float64)

    def interval(self, layer: AtLeast, inputs: Sequence[Range], weights: Tensors, scheme: Scheme) -> Range:
        return Range(torch.zeros_like(inputs[0].low), torch.ones_like(inputs[0].low))

    def deviate(
        self, layer: AtLeast, inputs: Sequence[Incoming], weights: Tensors, lowered: Lowered
    ) -> tuple[Deviation, float]:
        d, x = inputs[0].deviation.cells, inputs[0].range
        near = d >= 0.5 if layer.whole else (x.low <= layer.at + d) & (x.high >= layer.at - d)
        cells = near.to(torch.float64)
        return Deviation(cells, float(cells.norm())), math.sqrt(cells.numel())
