"""Piecewise linear functions, in float64."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from msgspec.structs import replace

from analytics.nn.layers.rules import Deviation, Incoming, LayerRules, Range, Tensor, Tensors
from icm_ray.network.layers import Bent
from icm_ray.network.layers.factors import coded
from icm_ray.network.model import Lowered
from icm_ray.network.scheme import Scheme

__all__ = ["BentRules"]


class BentRules(LayerRules[Bent]):
    """Extremes lie at the ends of a range or at bends; a difference grows by the steepest slope at most."""

    def evaluate(self, layer: Bent, inputs: Sequence[Tensor], weights: Tensors) -> Tensor:
        return _at(layer, inputs[0])

    def simulate(self, layer: Bent, inputs: Sequence[Tensor], weights: Tensors, lowered: Lowered) -> Tensor:
        return _at(layer.taken(lowered.result_bits[layer.name]), inputs[0])

    def interval(self, layer: Bent, inputs: Sequence[Range], weights: Tensors, scheme: Scheme) -> Range:
        (x,) = inputs
        values = torch.stack([_at(layer, point) for point in _points(layer, x)])
        off = _rounded(layer, x) + layer.turns * 2.0**-scheme.f
        return Range(values.amin(0) - off, values.amax(0) + off)

    def deviate(
        self, layer: Bent, inputs: Sequence[Incoming], weights: Tensors, lowered: Lowered
    ) -> tuple[Deviation, float]:
        (x,) = inputs
        off = _rounded(layer, x.range)
        cells = (layer.steepest * x.deviation.cells).clamp(max=layer.span) + off
        return Deviation(cells, layer.steepest * x.deviation.length + float(off.norm())), math.inf


def _at(layer: Bent, x: Tensor) -> Tensor:
    y = layer.offset + layer.slope * x
    for at, change in layer.bends:
        y = y + change * (x - at).clamp(min=0)
    return y


def _points(layer: Bent, x: Range) -> list[Tensor]:
    """The ends of the range, and the bends within it."""
    return [x.low, x.high, *(torch.minimum(x.high, x.low.clamp(min=at)) for at, _ in layer.bends)]


def _rounded(layer: Bent, x: Range) -> Tensor:
    """How far the function with slopes in fixed point is from the exact one, which is largest at ends and bends."""
    difference = _slopes_off(layer)
    if difference.slope == 0 and not difference.turns > 1:
        return torch.zeros_like(x.low)
    return torch.stack([_at(difference, point).abs() for point in _points(layer, x)]).amax(0)


def _slopes_off(layer: Bent) -> Bent:
    """What the function with slopes in fixed point is more than the exact one."""
    bits = layer.bits
    slopes = [layer.slope, *(change for _, change in layer.bends)]
    first, *rest = (math.ldexp(coded(slope, bits), -bits) - slope for slope in slopes)
    bends = tuple((at, off) for (at, _), off in zip(layer.bends, rest, strict=True))
    return replace(layer, offset=0.0, slope=first, bends=bends)
