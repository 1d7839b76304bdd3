"""Average pools, in float64."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from analytics.nn.layers.images import window_sums
from analytics.nn.layers.rules import Deviation, Incoming, LayerRules, Range, Tensor, Tensors
from icm_ray.network.layers import AvgPool
from icm_ray.network.layers.factors import factor_taken
from icm_ray.network.model import Lowered
from icm_ray.network.scheme import Scheme

__all__ = ["AvgPoolRules"]


class AvgPoolRules(LayerRules[AvgPool]):
    """Window sums times public factors, which fixed point may round."""

    def evaluate(self, layer: AvgPool, inputs: Sequence[Tensor], weights: Tensors) -> Tensor:
        sums = _sums(layer, inputs[0])
        return sums if layer.folded else sums / _divisors(layer)

    def simulate(self, layer: AvgPool, inputs: Sequence[Tensor], weights: Tensors, lowered: Lowered) -> Tensor:
        sums = _sums(layer, inputs[0])
        if layer.folded:
            return sums
        factors = 1 / _divisors(layer)
        return sums * factors.apply_(lambda factor: factor_taken(factor, exact=layer.counts is None))

    def interval(self, layer: AvgPool, inputs: Sequence[Range], weights: Tensors, scheme: Scheme) -> Range:
        (x,) = inputs
        exact, off = super().interval(layer, inputs, weights, scheme), layer.factor_error
        return Range(exact.low - off * _sums(layer, x.low).abs(), exact.high + off * _sums(layer, x.high).abs())

    def deviate(
        self, layer: AvgPool, inputs: Sequence[Incoming], weights: Tensors, lowered: Lowered
    ) -> tuple[Deviation, float]:
        (x,) = inputs
        d, divisor, off = x.deviation, layer.least_divisor, layer.factor_error
        factor = math.sqrt(layer.averaged * layer.overlap)
        cells = self.evaluate(layer, [d.cells], weights) + off * _sums(layer, x.range.magnitude + d.cells)
        length = factor * (d.length / divisor + off * (x.length + d.length))
        return Deviation(cells, length), factor * x.length * (1 / divisor + off)


def _sums(layer: AvgPool, x: Tensor) -> Tensor:
    return window_sums(x, layer.kernel, layer.stride, layer.padding)


def _divisors(layer: AvgPool) -> Tensor:
    if layer.counts is None:
        return torch.tensor(layer.divisor, dtype=torch.float64)
    rows, columns = (torch.tensor(axis, dtype=torch.float64) for axis in layer.counts)
    return rows[:, None] * columns[None, :]
