"""Branches side by side, in float64."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from analytics.nn.layers.rules import LayerRules, Tensor, Tensors
from icm_ray.network.layers import Concat

__all__ = ["ConcatRules"]


class ConcatRules(LayerRules[Concat]):
    """Cells move."""

    def evaluate(self, layer: Concat, inputs: Sequence[Tensor], weights: Tensors) -> Tensor:
        return torch.cat(tuple(inputs), layer.axis + 1)
