"""Repetition, in float64."""

from __future__ import annotations

import math
from collections.abc import Sequence

from analytics.nn.layers.rules import Deviation, Incoming, LayerRules, Tensor, Tensors
from icm_ray.network.layers import Expand
from icm_ray.network.model import Lowered

__all__ = ["ExpandRules"]


class ExpandRules(LayerRules[Expand]):
    """Every cell as often as it is repeated."""

    def evaluate(self, layer: Expand, inputs: Sequence[Tensor], weights: Tensors) -> Tensor:
        return inputs[0].expand(len(inputs[0]), *layer.shape)

    def deviate(
        self, layer: Expand, inputs: Sequence[Incoming], weights: Tensors, lowered: Lowered
    ) -> tuple[Deviation, float]:
        (x,) = inputs
        cells = self.evaluate(layer, [x.deviation.cells], weights)
        times = math.sqrt(cells.numel() / x.deviation.cells.numel())
        return Deviation(cells, times * x.deviation.length), times * x.length
