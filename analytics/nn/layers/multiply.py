"""Products of two branches, value by value, in float64."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from analytics.nn.layers.private_products import PrivateProductRules
from analytics.nn.layers.rules import Range, Tensor, Tensors
from icm_ray.network.layers import Multiply
from icm_ray.network.scheme import Scheme

__all__ = ["MultiplyRules"]


class MultiplyRules(PrivateProductRules[Multiply]):
    """Extremes lie at the ends of both ranges; a square is not below zero."""

    def apply(self, a: Tensor, b: Tensor) -> Tensor:
        return a * b

    def interval(self, layer: Multiply, inputs: Sequence[Range], weights: Tensors, scheme: Scheme) -> Range:
        a, b = inputs
        ends = torch.stack([a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high])
        if layer.inputs[0] == layer.inputs[1]:
            squares = torch.stack([a.low * a.low, a.high * a.high])
            crosses = (a.low < 0) & (a.high > 0)
            return Range(torch.where(crosses, 0.0, squares.amin(0)), squares.amax(0))
        return Range(ends.amin(0), ends.amax(0))
