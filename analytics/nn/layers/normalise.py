"""Normalisation of rows, in float64."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from analytics.nn.layers.rules import Deviation, Incoming, LayerRules, Range, Tensor, Tensors
from icm_ray.errors import BoundError
from icm_ray.network.layers import Normalise
from icm_ray.network.layers.normalise import normalised
from icm_ray.network.model import Lowered
from icm_ray.network.scheme import Scheme
from icm_ray.ops.linear import Input
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder

__all__ = ["NormaliseRules"]

_FINEST = 24  # fractional bits of values that are normalised, where nothing is rounded before


class NormaliseRules(LayerRules[Normalise]):
    """A row's result is no longer than sqrt(n); a difference grows by 1 / sqrt(epsilon) at most."""

    def evaluate(self, layer: Normalise, inputs: Sequence[Tensor], weights: Tensors) -> Tensor:
        (x,) = inputs
        away = x - x.mean(-1, keepdim=True) if layer.centred else x
        return away / torch.sqrt((away * away).mean(-1, keepdim=True) + layer.epsilon)

    def interval(self, layer: Normalise, inputs: Sequence[Range], weights: Tensors, scheme: Scheme) -> Range:
        (x,) = inputs
        root = math.sqrt(layer.shape[-1])
        top = torch.full_like(x.low, root + min(root, 2 * _own_error(layer, x, scheme)))
        return Range(-top, top)

    def deviate(
        self, layer: Normalise, inputs: Sequence[Incoming], weights: Tensors, lowered: Lowered
    ) -> tuple[Deviation, float]:
        d, size = inputs[0].deviation, layer.shape[-1]
        steepest = 1 / math.sqrt(layer.epsilon) if layer.epsilon else math.inf
        rows = torch.nan_to_num(steepest * d.cells.norm(dim=-1, keepdim=True), nan=0.0)
        cells = rows.clamp(max=2 * math.sqrt(size)).expand_as(d.cells)
        longest = 2 * math.sqrt(d.cells.numel())
        return Deviation(cells, min(steepest * d.length, longest) if d.length else 0.0), math.inf


def _own_error(layer: Normalise, x: Range, scheme: Scheme) -> float:
    """What the protocol itself is off by on exact values of this range, about; infinite where they do not fit."""
    f = min(scheme.f, _FINEST)
    width = f + math.frexp(float(x.magnitude.max()))[1] + 1
    builder = Builder(("a", "b"))
    try:
        kind = ValueType(shape=(1, layer.shape[-1]), f=f, width=width)
        return normalised(builder, builder.add(Input("a", "x", kind)), layer).type.error
    except BoundError:
        return math.inf
