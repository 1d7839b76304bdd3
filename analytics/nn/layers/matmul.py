"""Matrix products of two branches, in float64."""

from __future__ import annotations

from collections.abc import Sequence

from analytics.nn.layers.private_products import PrivateProductRules
from analytics.nn.layers.rules import MARGIN, Deviation, Incoming, Tensor, Tensors
from icm_ray.network.layers import MatMul
from icm_ray.network.model import Lowered

__all__ = ["MatMulRules"]


class MatMulRules(PrivateProductRules[MatMul]):
    """A product's Frobenius norm is at most that of both factors, multiplied."""

    def apply(self, a: Tensor, b: Tensor) -> Tensor:
        return a @ b

    def deviate(
        self, layer: MatMul, inputs: Sequence[Incoming], weights: Tensors, lowered: Lowered
    ) -> tuple[Deviation, float]:
        a, b = inputs
        raw, length = super().deviate(layer, inputs, weights, lowered)
        da, db = a.deviation.length, b.deviation.length
        return Deviation(raw.cells, min(raw.length, (a.length * db + da * b.length + da * db) * MARGIN)), length
