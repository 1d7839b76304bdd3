"""Whole numbers as one-hot rows, in float64."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from analytics.nn.layers.rules import Deviation, Incoming, LayerRules, Range, Tensor, Tensors
from icm_ray.network.layers import OneHot
from icm_ray.network.model import Lowered
from icm_ray.network.scheme import Scheme

__all__ = ["OneHotRules"]


class OneHotRules(LayerRules[OneHot]):
    """Exact for numbers that are less than 1/2 from the whole ones that they stand for."""

    def evaluate(self, layer: OneHot, inputs: Sequence[Tensor], weights: Tensors) -> Tensor:
        place = inputs[0].round().clamp(0, layer.classes - 1)
        return (place.unsqueeze(-1) == torch.arange(layer.classes)).to(torch.float64)

    def interval(self, layer: OneHot, inputs: Sequence[Range], weights: Tensors, scheme: Scheme) -> Range:
        ones = torch.ones(1, *layer.shape, dtype=torch.float64)
        return Range(torch.zeros_like(ones), ones)

    def deviate(
        self, layer: OneHot, inputs: Sequence[Incoming], weights: Tensors, lowered: Lowered
    ) -> tuple[Deviation, float]:
        moved = (inputs[0].deviation.cells >= 0.25).to(torch.float64)
        cells = moved.unsqueeze(-1).expand(1, *layer.shape)
        return Deviation(cells, float(cells.norm())), math.sqrt(inputs[0].deviation.cells.numel())
