"""Padding, in float64."""

from __future__ import annotations

from collections.abc import Sequence

from torch.nn import functional

from analytics.nn.layers.rules import LayerRules, Tensor, Tensors
from icm_ray.network.layers import Pad

__all__ = ["PadRules"]


class PadRules(LayerRules[Pad]):
    """Exact zeros come in."""

    def evaluate(self, layer: Pad, inputs: Sequence[Tensor], weights: Tensors) -> Tensor:
        return functional.pad(inputs[0], [side for pair in reversed(layer.pads) for side in pair])
