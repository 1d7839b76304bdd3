"""Linear layers, in float64."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from torch.nn import functional

from analytics.nn.layers.products import ProductRules
from analytics.nn.layers.rules import Tensor
from analytics.nn.norms import matrix_norm, schur_norm
from icm_ray.network.layer import Shape
from icm_ray.network.layers import Linear

__all__ = ["LinearRules"]


class LinearRules(ProductRules[Linear]):
    """A matrix along the last axis; its norm is its largest singular value."""

    def apply(self, layer: Linear, weight: Tensor, x: Tensor) -> Tensor:
        return functional.linear(x, weight)

    def norm(self, layer: Linear, weight: npt.NDArray[np.float64], source: Shape) -> float:
        return matrix_norm(weight)

    def rough_norm(self, layer: Linear, weight: npt.NDArray[np.float64]) -> float:
        return schur_norm(weight)

    def by_channel(self, values: Tensor, like: Tensor) -> Tensor:
        return values
