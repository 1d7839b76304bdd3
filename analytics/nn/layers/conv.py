"""Convolutions, in float64."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from torch.nn import functional

from analytics.nn.layers.images import padded
from analytics.nn.layers.products import ProductRules
from analytics.nn.layers.rules import Tensor
from analytics.nn.norms import conv_norm, schur_norm
from icm_ray.network.layer import Shape
from icm_ray.network.layers import Conv

__all__ = ["ConvRules"]


class ConvRules(ProductRules[Conv]):
    """Cross-correlation; its norm from the spectrum of its kernel."""

    def apply(self, layer: Conv, weight: Tensor, x: Tensor) -> Tensor:
        wide = padded(x, layer.padding, 0.0)
        return functional.conv2d(wide, weight, stride=layer.stride, dilation=layer.dilation, groups=layer.groups)

    def norm(self, layer: Conv, weight: npt.NDArray[np.float64], source: Shape) -> float:
        return conv_norm(weight, layer, source)

    def rough_norm(self, layer: Conv, weight: npt.NDArray[np.float64]) -> float:
        return schur_norm(weight, layer.groups)
