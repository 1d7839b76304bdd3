"""Exponential linear units, in float64."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from analytics.nn.layers.rules import Deviation, Incoming, LayerRules, Range, Tensor, Tensors
from icm_ray.network.layers import Elu
from icm_ray.network.model import Lowered
from icm_ray.network.scheme import Scheme

__all__ = ["EluRules"]


class EluRules(LayerRules[Elu]):
    """Monotone; its slope is that of the positive part, or alpha times as much at zero."""

    def evaluate(self, layer: Elu, inputs: Sequence[Tensor], weights: Tensors) -> Tensor:
        (x,) = inputs
        return layer.scale * (x.clamp(min=0) + layer.alpha * torch.expm1(x.clamp(max=0)))

    def interval(self, layer: Elu, inputs: Sequence[Range], weights: Tensors, scheme: Scheme) -> Range:
        exact = super().interval(layer, inputs, weights, scheme)
        off = layer.scale * layer.alpha * (2e-6 + 2.0 ** (1 - scheme.f)) + 2.0**-20 * (1 + inputs[0].magnitude)
        return Range(exact.low - off, exact.high + off)

    def deviate(
        self, layer: Elu, inputs: Sequence[Incoming], weights: Tensors, lowered: Lowered
    ) -> tuple[Deviation, float]:
        d, steepest = inputs[0].deviation, layer.scale * max(1.0, layer.alpha)
        return Deviation(steepest * d.cells, steepest * d.length), math.inf
