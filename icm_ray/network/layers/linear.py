"""Linear layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

from msgspec.structs import replace

from icm_ray.network.layer import Shape
from icm_ray.network.layers.products import ProductLayer
from icm_ray.ops.forms import Form, Matrix

__all__ = ["Linear"]


class Linear(ProductLayer, frozen=True, kw_only=True, tag="linear"):
    """y = x W^T + b along the last axis; `weight` names [out, in], `bias` [out] or is None."""

    weight: str
    bias: str | None

    channels_last: ClassVar[bool] = True

    @property
    def weight_key(self) -> str | None:
        return self.weight

    @property
    def bias_key(self) -> str | None:
        return self.bias

    def with_weights(self, weight: str | None, bias: str | None) -> Self:
        return replace(self, weight=weight or self.weight, bias=bias)

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        source = self.only(inputs)
        self.need(len(source) >= 1 and len(self.shape) == len(source), source)
        return (*source[:-1], self.shape[-1])

    def weight_shapes(self, source: Shape) -> dict[str, Shape]:
        shapes: dict[str, Shape] = {self.weight: self.product(source)[1]}
        if self.bias is not None:
            shapes[self.bias] = self.shape[-1:]
        return shapes

    def product(self, source: Shape) -> tuple[Form, Shape, Shape]:
        return Matrix(transposed=True), (self.shape[-1], source[-1]), source
