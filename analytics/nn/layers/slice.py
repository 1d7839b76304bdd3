"""Slices, in float64."""

from __future__ import annotations

from collections.abc import Sequence

from analytics.nn.layers.rules import LayerRules, Tensor, Tensors
from icm_ray.network.layers import Slice

__all__ = ["SliceRules"]


class SliceRules(LayerRules[Slice]):
    """Some cells are left out."""

    def evaluate(self, layer: Slice, inputs: Sequence[Tensor], weights: Tensors) -> Tensor:
        cut = slice(layer.start, layer.stop, layer.step)
        return inputs[0][(slice(None),) * (layer.axis + 1) + (cut,)]
