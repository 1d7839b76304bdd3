"""Reshapes, in float64."""

from __future__ import annotations

from collections.abc import Sequence

from analytics.nn.layers.rules import LayerRules, Tensor, Tensors
from icm_ray.network.layers import Reshape

__all__ = ["ReshapeRules"]


class ReshapeRules(LayerRules[Reshape]):
    """Cells keep their order."""

    def evaluate(self, layer: Reshape, inputs: Sequence[Tensor], weights: Tensors) -> Tensor:
        (x,) = inputs
        return x.reshape(x.shape[0], *layer.shape)
