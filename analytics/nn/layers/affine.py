"""Affine layers, in float64."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analytics.nn.layers.products import ProductRules
from analytics.nn.layers.rules import MARGIN, Tensor
from icm_ray.network.layer import Shape
from icm_ray.network.layers import Affine

__all__ = ["AffineRules"]


class AffineRules(ProductRules[Affine]):
    """A diagonal matrix along the channels."""

    def apply(self, layer: Affine, weight: Tensor, x: Tensor) -> Tensor:
        return x * self.by_channel(weight, x)

    def norm(self, layer: Affine, weight: npt.NDArray[np.float64], source: Shape) -> float:
        return float(np.abs(weight).max()) * MARGIN
