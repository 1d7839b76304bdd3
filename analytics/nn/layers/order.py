"""The largest of rows, in float64."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from analytics.nn.layers.rules import Deviation, Incoming, LayerRules, Range, Tensor, Tensors
from icm_ray.network.layers import Order
from icm_ray.network.model import Lowered
from icm_ray.network.scheme import Scheme

__all__ = ["OrderRules"]


class OrderRules(LayerRules[Order]):
    """The k-th largest value moves by no more than any does; its place may be any where two may change theirs."""

    def evaluate(self, layer: Order, inputs: Sequence[Tensor], weights: Tensors) -> Tensor:
        values, places = inputs[0].sort(dim=-1, descending=True, stable=True)
        return (places.to(torch.float64) if layer.places else values)[..., : layer.k]

    def interval(self, layer: Order, inputs: Sequence[Range], weights: Tensors, scheme: Scheme) -> Range:
        (x,) = inputs
        if layer.places:
            zeros = torch.zeros(1, *layer.shape, dtype=torch.float64)
            return Range(zeros, zeros + x.low.shape[-1] - 1)
        return Range(self.evaluate(layer, [x.low], weights), self.evaluate(layer, [x.high], weights))

    def deviate(
        self, layer: Order, inputs: Sequence[Incoming], weights: Tensors, lowered: Lowered
    ) -> tuple[Deviation, float]:
        d, ones = inputs[0].deviation, torch.ones(1, *layer.shape, dtype=torch.float64)
        rows = d.cells.amax(-1, keepdim=True)
        cells = (rows > 0) * ones * (inputs[0].range.low.shape[-1] - 1) if layer.places else rows * ones
        return Deviation(cells, float(cells.norm())), math.inf
