"""Linear layers, in float64."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt
from torch.nn import functional

from analytics.nn.layers.products import ProductRules
from analytics.nn.layers.rules import Tensor
from analytics.nn.norms import matrix_norm, schur_norm
from icm_ray.network.layer import Shape
from icm_ray.network.layers import Leaves, Linear

__all__ = ["LinearRules"]


L = TypeVar("L", Linear, Leaves)


class LinearRules(ProductRules[L]):
    """A matrix along the last axis; its norm is its largest singular value."""

    def apply(self, layer: L, weight: Tensor, x: Tensor) -> Tensor:
        return functional.linear(x, weight)

    def norm(self, layer: L, weight: npt.NDArray[np.float64], source: Shape) -> float:
        return matrix_norm(weight)

    def rough_norm(self, layer: L, weight: npt.NDArray[np.float64]) -> float:
        return schur_norm(weight)

    def by_channel(self, values: Tensor, like: Tensor) -> Tensor:
        return values
