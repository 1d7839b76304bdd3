"""Rounding to whole multiples of a public number, in float64."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from msgspec.structs import replace

from analytics.nn.layers.rules import Deviation, Incoming, LayerRules, Range, Tensor, Tensors
from icm_ray.network.layers import Rounded
from icm_ray.network.layers.rounded import divisor_error, divisor_taken
from icm_ray.network.model import Lowered
from icm_ray.network.scheme import Scheme

__all__ = ["RoundedRules"]


class RoundedRules(LayerRules[Rounded]):
    """Off by a whole step where a step can lie between the value and what it is in real arithmetic."""

    def evaluate(self, layer: Rounded, inputs: Sequence[Tensor], weights: Tensors) -> Tensor:
        (x,) = inputs
        if layer.part == "nearest":
            return torch.round(x)
        if layer.part == "remainder":
            return torch.remainder(x, layer.divisor)
        return torch.div(x, layer.divisor, rounding_mode="floor")  # the quotient's own rounding makes no step

    def simulate(self, layer: Rounded, inputs: Sequence[Tensor], weights: Tensors, lowered: Lowered) -> Tensor:
        return self.evaluate(replace(layer, divisor=divisor_taken(layer.divisor)), inputs, weights)

    def interval(self, layer: Rounded, inputs: Sequence[Range], weights: Tensors, scheme: Scheme) -> Range:
        (x,) = inputs
        if layer.part == "remainder":
            return Range(torch.zeros_like(x.low), torch.full_like(x.low, layer.divisor + divisor_error(layer.divisor)))
        low, high = (self.evaluate(layer, [end], weights) for end in (x.low, x.high))
        moved = torch.ceil(_moved(layer, x) / layer.divisor)
        return Range(low - moved, high + moved)

    def deviate(
        self, layer: Rounded, inputs: Sequence[Incoming], weights: Tensors, lowered: Lowered
    ) -> tuple[Deviation, float]:
        (x,) = inputs
        apart = x.deviation.cells + _moved(layer, x.range)
        lift = 0.5 if layer.part == "nearest" else 0.0
        low, high = ((end + lift) / layer.divisor for end in (x.range.low, x.range.high))
        away = apart / layer.divisor
        there = torch.floor(high + away) - torch.floor(low - away)  # steps that may lie between the two values
        steps = torch.where(away > 0, torch.minimum(torch.floor(away) + 1, there), torch.zeros_like(away))
        if layer.part == "remainder":
            most = layer.divisor + divisor_error(layer.divisor)
            steps = torch.where(steps > 0, most, apart).clamp(max=most)
        return Deviation(steps, float(steps.norm())), math.inf


def _moved(layer: Rounded, x: Range) -> Tensor:
    """How far the multiples that values reach lie from those of the exact divisor."""
    return (x.magnitude / layer.divisor + 1) * divisor_error(layer.divisor)
