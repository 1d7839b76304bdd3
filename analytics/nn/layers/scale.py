"""Scales, in float64."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from analytics.nn.layers.rules import Deviation, Incoming, LayerRules, Range, Tensor, Tensors
from icm_ray.network.layers import Scale
from icm_ray.network.layers.factors import factor_taken
from icm_ray.network.model import Lowered
from icm_ray.network.scheme import Scheme

__all__ = ["ScaleRules"]


class ScaleRules(LayerRules[Scale]):
    """A public factor, which fixed point may round."""

    def evaluate(self, layer: Scale, inputs: Sequence[Tensor], weights: Tensors) -> Tensor:
        return inputs[0] * layer.factor

    def simulate(self, layer: Scale, inputs: Sequence[Tensor], weights: Tensors, lowered: Lowered) -> Tensor:
        return inputs[0] * math.copysign(factor_taken(abs(layer.factor)), layer.factor)

    def interval(self, layer: Scale, inputs: Sequence[Range], weights: Tensors, scheme: Scheme) -> Range:
        (x,) = inputs
        ends = [end * layer.factor for end in (x.low, x.high)]
        off = [layer.factor_error * end.abs() for end in (x.low, x.high)]
        low, high = ([end + sign * more for end, more in zip(ends, off, strict=True)] for sign in (-1, 1))
        return Range(torch.minimum(*low), torch.maximum(*high))

    def deviate(
        self, layer: Scale, inputs: Sequence[Incoming], weights: Tensors, lowered: Lowered
    ) -> tuple[Deviation, float]:
        (x,) = inputs
        d, factor, off = x.deviation, abs(layer.factor), layer.factor_error
        cells = factor * d.cells + off * (x.range.magnitude + d.cells)
        length = factor * d.length + off * (x.length + d.length)
        return Deviation(cells, length), x.length * (factor + off)
