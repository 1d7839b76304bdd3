"""Max-pools, in float64."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch.nn import functional

from analytics.nn.layers.images import padded
from analytics.nn.layers.rules import Deviation, Incoming, LayerRules, Tensor, Tensors
from icm_ray.network.layers import MaxPool
from icm_ray.network.model import Lowered

__all__ = ["MaxPoolRules"]


class MaxPoolRules(LayerRules[MaxPool]):
    """|max a - max b| <= max |a - b|; a cell is in several windows."""

    def evaluate(self, layer: MaxPool, inputs: Sequence[Tensor], weights: Tensors) -> Tensor:
        wide = padded(inputs[0], layer.padding, -torch.inf)
        return functional.max_pool2d(wide, layer.kernel, layer.stride, 0, layer.dilation)

    def deviate(
        self, layer: MaxPool, inputs: Sequence[Incoming], weights: Tensors, lowered: Lowered
    ) -> tuple[Deviation, float]:
        (x,) = inputs
        factor = math.sqrt(layer.overlap)
        return Deviation(
            self.evaluate(layer, [x.deviation.cells], weights), factor * x.deviation.length
        ), factor * x.length
