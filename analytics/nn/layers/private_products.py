"""Products of two private values, in float64: what elementwise and matrix products have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TypeVar

import torch

from analytics.nn.layers.rules import MARGIN, Deviation, Incoming, LayerRules, Range, Tensor, Tensors
from icm_ray.network.layer import Layer
from icm_ray.network.model import Lowered
from icm_ray.network.scheme import Scheme

__all__ = ["PrivateProductRules"]

P = TypeVar("P", bound=Layer)


class PrivateProductRules(LayerRules[P]):
    """a b. With a, b as the protocol has them and a', b' in real arithmetic: a b - a' b' = a db + da b - da db."""

    @abstractmethod
    def apply(self, a: Tensor, b: Tensor) -> Tensor:
        """The product."""

    def evaluate(self, layer: P, inputs: Sequence[Tensor], weights: Tensors) -> Tensor:
        return self.apply(*inputs)

    def interval(self, layer: P, inputs: Sequence[Range], weights: Tensors, scheme: Scheme) -> Range:
        """By middles and radii."""
        (a, ra), (b, rb) = (((x.low + x.high) / 2, (x.high - x.low) / 2 * MARGIN) for x in inputs)
        middle = self.apply(a, b)
        radius = self.apply(a.abs(), rb) + self.apply(ra, b.abs()) + self.apply(ra, rb)
        return Range(middle - radius, middle + radius)

    def deviate(
        self, layer: P, inputs: Sequence[Incoming], weights: Tensors, lowered: Lowered
    ) -> tuple[Deviation, float]:
        a, b = inputs
        da, db = a.deviation.cells, b.deviation.cells
        cells = self.apply(a.range.magnitude, db) + self.apply(da, b.range.magnitude) + self.apply(da, db)
        return Deviation(cells, float(cells.norm()) * MARGIN), torch.inf
