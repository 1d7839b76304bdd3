"""Comparisons with zero, in float64."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from analytics.nn.layers.rules import Deviation, Incoming, LayerRules, Range, Tensor, Tensors
from icm_ray.network.layers import Step
from icm_ray.network.model import Lowered
from icm_ray.network.scheme import Scheme

__all__ = ["StepRules"]


class StepRules(LayerRules[Step]):
    """Exact, but where the input is as near to zero as it may be off."""

    def evaluate(self, layer: Step, inputs: Sequence[Tensor], weights: Tensors) -> Tensor:
        return (inputs[0] >= 0).to(torch.float64)

    def interval(self, layer: Step, inputs: Sequence[Range], weights: Tensors, scheme: Scheme) -> Range:
        ones = torch.ones(1, *layer.shape, dtype=torch.float64)
        return Range(torch.zeros_like(ones), ones)

    def deviate(
        self, layer: Step, inputs: Sequence[Incoming], weights: Tensors, lowered: Lowered
    ) -> tuple[Deviation, float]:
        (x,) = inputs
        off = x.deviation.cells
        near = (off > 0) & (x.range.low <= off) & (x.range.high >= -off)
        cells = near.to(torch.float64)
        return Deviation(cells, float(cells.norm())), math.sqrt(cells.numel())
