"""Permutations of axes, in float64."""

from __future__ import annotations

from collections.abc import Sequence

from analytics.nn.layers.rules import LayerRules, Tensor, Tensors
from icm_ray.network.layers import Permute

__all__ = ["PermuteRules"]


class PermuteRules(LayerRules[Permute]):
    """Cells move."""

    def evaluate(self, layer: Permute, inputs: Sequence[Tensor], weights: Tensors) -> Tensor:
        return inputs[0].permute(0, *(axis + 1 for axis in layer.axes))
