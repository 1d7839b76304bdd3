"""Weighted sums along one axis, in float64."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from analytics.nn.layers.rules import MARGIN, Deviation, Incoming, LayerRules, Range, Tensor, Tensors
from icm_ray.network.layers import Resample
from icm_ray.network.model import Lowered
from icm_ray.network.scheme import Scheme

__all__ = ["ResampleRules"]


class ResampleRules(LayerRules[Resample]):
    """A public matrix along one axis, whose numbers fixed point may round."""

    def evaluate(self, layer: Resample, inputs: Sequence[Tensor], weights: Tensors) -> Tensor:
        return _along(layer, _matrix(layer, inputs[0].shape[layer.axis + 1]), inputs[0])

    def simulate(self, layer: Resample, inputs: Sequence[Tensor], weights: Tensors, lowered: Lowered) -> Tensor:
        matrix = _matrix(layer, inputs[0].shape[layer.axis + 1])
        return _along(layer, matrix + _rounding(layer, matrix), inputs[0])

    def interval(self, layer: Resample, inputs: Sequence[Range], weights: Tensors, scheme: Scheme) -> Range:
        (x,) = inputs
        matrix = _matrix(layer, x.low.shape[layer.axis + 1])
        up, down = matrix.clamp(min=0), matrix.clamp(max=0)
        rounding = _along(layer, _rounding(layer, matrix).abs(), x.magnitude)
        low = _along(layer, up, x.low) + _along(layer, down, x.high) - rounding
        return Range(low, _along(layer, up, x.high) + _along(layer, down, x.low) + rounding)

    def deviate(
        self, layer: Resample, inputs: Sequence[Incoming], weights: Tensors, lowered: Lowered
    ) -> tuple[Deviation, float]:
        (x,) = inputs
        d, matrix = x.deviation, _matrix(layer, x.range.low.shape[layer.axis + 1])
        rounding = _rounding(layer, matrix).abs()
        norm, off = _schur(matrix), _schur(rounding)
        cells = _along(layer, matrix.abs(), d.cells) + _along(layer, rounding, x.range.magnitude)
        return Deviation(cells, norm * d.length + off * x.length), (norm + off) * x.length


def _matrix(layer: Resample, size: int) -> Tensor:
    matrix = torch.zeros(len(layer.taps[0][0]), size, dtype=torch.float64)
    for indices, weights in layer.taps:
        matrix[torch.arange(len(indices)), torch.tensor(indices)] += torch.tensor(weights, dtype=torch.float64)
    return matrix


def _rounding(layer: Resample, matrix: Tensor) -> Tensor:
    """What fixed point makes of each number of the matrix, less that number."""
    off = torch.zeros_like(matrix)
    for indices, weights in layer.taps:
        plain = np.array(weights)
        rounded = np.ldexp(np.rint(np.ldexp(plain, layer.bits)), -layer.bits) - plain
        off[torch.arange(len(indices)), torch.tensor(indices)] += torch.from_numpy(rounded)
    return off


def _along(layer: Resample, matrix: Tensor, x: Tensor) -> Tensor:
    return (x.movedim(layer.axis + 1, -1) @ matrix.T).movedim(-1, layer.axis + 1)


def _schur(matrix: Tensor) -> float:
    sizes = matrix.abs()
    return math.sqrt(float(sizes.sum(0).max()) * float(sizes.sum(1).max())) * MARGIN
