"""Sums of two branches, in float64."""

from __future__ import annotations

from collections.abc import Sequence

from analytics.nn.layers.rules import Deviation, Incoming, LayerRules, Tensor, Tensors
from icm_ray.network.layers import Add
from icm_ray.network.model import Lowered

__all__ = ["AddRules"]


class AddRules(LayerRules[Add]):
    """Differences and values add up."""

    def evaluate(self, layer: Add, inputs: Sequence[Tensor], weights: Tensors) -> Tensor:
        return inputs[0] + inputs[1]

    def deviate(
        self, layer: Add, inputs: Sequence[Incoming], weights: Tensors, lowered: Lowered
    ) -> tuple[Deviation, float]:
        a, b = inputs
        cells, length = a.deviation.cells + b.deviation.cells, a.deviation.length + b.deviation.length
        return Deviation(cells, length), a.length + b.length
