"""Linear layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from icm_ray.network.layer import Shape
from icm_ray.network.layers.products import BiasedProduct
from icm_ray.ops.forms import Form, Matrix

__all__ = ["Linear"]


class Linear(BiasedProduct, frozen=True, kw_only=True, tag="linear"):
    """y = x W^T + b along the last axis; `weight` names [out, in], `bias` [out] or is None."""

    channels_last: ClassVar[bool] = True

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        source = self.only(inputs)
        self.need(len(source) >= 1 and len(self.shape) == len(source), source)
        return (*source[:-1], self.shape[-1])

    def product(self, source: Shape) -> tuple[Form, Shape, Shape]:
        return Matrix(transposed=True), (self.shape[-1], source[-1]), source
