"""The larger of two branches, in float64."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from analytics.nn.layers.rules import LayerRules, Tensor, Tensors
from icm_ray.network.layers import Maximum

__all__ = ["MaximumRules"]


class MaximumRules(LayerRules[Maximum]):
    """|max(a, b) - max(a', b')| is at most the larger difference."""

    def evaluate(self, layer: Maximum, inputs: Sequence[Tensor], weights: Tensors) -> Tensor:
        return torch.maximum(*inputs)
