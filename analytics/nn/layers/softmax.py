"""Softmax and its logarithm, in float64."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from analytics.nn.layers.rules import Deviation, Incoming, LayerRules, Range, Tensor, Tensors
from icm_ray.network.layers import Softmax
from icm_ray.network.model import Lowered
from icm_ray.network.scheme import Scheme

__all__ = ["SoftmaxRules"]


class SoftmaxRules(LayerRules[Softmax]):
    """p falls and rises by half of the largest difference of its row at most, log p by twice that."""

    def evaluate(self, layer: Softmax, inputs: Sequence[Tensor], weights: Tensors) -> Tensor:
        x, *masks = inputs
        for mask in masks:  # a row of which nothing is left is taken as it is
            closed = mask > 0.5
            x = x.masked_fill(closed & ~closed.all(-1, keepdim=True), -math.inf)
        if layer.closed:
            flat = x.flatten(-2).clone()
            flat[..., torch.tensor(layer.closed)] = -math.inf
            x = flat.reshape(x.shape)
        return torch.log_softmax(x, -1) if layer.log else torch.softmax(x, -1)

    def interval(self, layer: Softmax, inputs: Sequence[Range], weights: Tensors, scheme: Scheme) -> Range:
        x, size = inputs[0], layer.shape[-1]
        off = 4e-6 * size + 5e-4 + 2.0 ** (2 - scheme.f)
        if not layer.log:
            zeros = torch.zeros_like(x.low)
            return Range(zeros - off, zeros + 1 + off)
        spread = x.low - x.high.amax(-1, keepdim=True) - math.log(size)
        return Range(spread - off, torch.full_like(x.low, off))

    def deviate(
        self, layer: Softmax, inputs: Sequence[Incoming], weights: Tensors, lowered: Lowered
    ) -> tuple[Deviation, float]:
        d, size = inputs[0].deviation, layer.shape[-1]
        steepest, lengthens = (2.0, 1.0 + math.sqrt(size)) if layer.log else (0.5, 0.5)
        cells = (steepest * d.cells.amax(-1, keepdim=True)).expand_as(d.cells)
        for mask in inputs[1:]:  # any other place may be the one that takes part
            cells = cells + mask.deviation.cells.amax(-1, keepdim=True)
        if not layer.log:
            cells = cells.clamp(max=1.0)
        return Deviation(cells, lengthens * d.length if len(inputs) == 1 else float(cells.norm())), math.inf
