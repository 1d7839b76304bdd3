"""Sums of decision trees' values, in float64."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from analytics.nn.layers.linear import LinearRules
from analytics.nn.layers.products import weight_and_bias
from analytics.nn.layers.rules import Deviation, Incoming, Range, Tensor, Tensors, coded
from icm_ray.network.layers import Leaves
from icm_ray.network.model import Lowered
from icm_ray.network.scheme import Scheme

__all__ = ["LeavesRules"]


class LeavesRules(LinearRules[Leaves]):
    """One value of each tree: extremes are sums of the trees' own."""

    def interval(self, layer: Leaves, inputs: Sequence[Range], weights: Tensors, scheme: Scheme) -> Range:
        weight, bias = weight_and_bias(layer, weights)
        values, rounding = _by_tree(layer, weight), layer.trees * 2.0 ** -(scheme.least + 1)
        shift = torch.zeros(layer.shape, dtype=torch.float64) if bias is None else bias
        low, high = values.amin(2).sum(1) - rounding, values.amax(2).sum(1) + rounding
        return Range((low + shift).unsqueeze(0), (high + shift).unsqueeze(0))

    def deviate(
        self, layer: Leaves, inputs: Sequence[Incoming], weights: Tensors, lowered: Lowered
    ) -> tuple[Deviation, float]:
        """Another leaf in every tree where one may be taken, and the rounding of one value of each."""
        (x,) = inputs
        weight, bias = weight_and_bias(layer, weights)
        values = _by_tree(layer, weight)
        moved = (x.deviation.cells.reshape(layer.trees, -1) > 0).any(1).to(torch.float64)
        rounded = _by_tree(layer, weight - coded(weight, lowered.weights[layer.name].f)).abs().amax(2).sum(1)
        cells = (values.amax(2) - values.amin(2)) @ moved + rounded
        if bias is not None:
            cells = cells + (bias - coded(bias, lowered.result_bits[layer.name])).abs()
        return Deviation(cells.unsqueeze(0), float(cells.norm())), math.inf


def _by_tree(layer: Leaves, weight: Tensor) -> Tensor:
    """(out, trees, leaves)."""
    return weight.reshape(layer.shape[0], layer.trees, -1)
