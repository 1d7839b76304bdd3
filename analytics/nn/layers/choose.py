"""One of two branches, in float64."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from analytics.nn.layers.rules import Deviation, Incoming, LayerRules, Range, Tensor, Tensors
from icm_ray.network.layers import Choose
from icm_ray.network.model import Lowered
from icm_ray.network.scheme import Scheme

__all__ = ["ChooseRules"]


class ChooseRules(LayerRules[Choose]):
    """Off as the branches are; where the condition may be the other one, by their distance too."""

    def evaluate(self, layer: Choose, inputs: Sequence[Tensor], weights: Tensors) -> Tensor:
        condition, a, b = inputs
        return torch.where(condition > 0.5, a, b)

    def interval(self, layer: Choose, inputs: Sequence[Range], weights: Tensors, scheme: Scheme) -> Range:
        _, a, b = inputs
        return Range(torch.minimum(a.low, b.low), torch.maximum(a.high, b.high))

    def deviate(
        self, layer: Choose, inputs: Sequence[Incoming], weights: Tensors, lowered: Lowered
    ) -> tuple[Deviation, float]:
        condition, a, b = inputs
        apart = torch.maximum(a.range.high - b.range.low, b.range.high - a.range.low)
        cells = torch.maximum(a.deviation.cells, b.deviation.cells)
        cells = cells + condition.deviation.cells.clamp(max=1.0) * apart
        return Deviation(cells, float(cells.norm())), torch.inf
