"""Convolutions."""

from __future__ import annotations

from collections.abc import Sequence

from icm_ray.network.layer import Pair, Pairs, Shape
from icm_ray.network.layers.products import BiasedProduct
from icm_ray.network.layers.windows import slide
from icm_ray.ops.forms import Convolution, Form

__all__ = ["Conv"]


class Conv(BiasedProduct, frozen=True, kw_only=True, tag="conv"):
    """Two-dimensional cross-correlation; `weight` names [out, in / groups, kh, kw], `bias` [out] or is None."""

    kernel: Pair
    stride: Pair
    padding: Pairs
    dilation: Pair
    groups: int

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        source = self.only(inputs)
        self.need(len(source) == 3 and len(self.shape) == 3, source)
        self.need(self.groups >= 1 and source[0] % self.groups == 0 == self.shape[0] % self.groups, source)
        return (self.shape[0], *slide(self, source, self.kernel, self.stride, self.padding, self.dilation))

    def product(self, source: Shape) -> tuple[Form, Shape, Shape]:
        (top, bottom), (left, right) = self.padding
        form = Convolution(self.kernel, self.stride, (top, bottom, left, right), self.dilation, self.groups)
        return form, (self.shape[0], source[0] // self.groups, *self.kernel), source
