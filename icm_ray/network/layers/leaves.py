"""Sums of decision trees' values, of which each tree has one: that of the leaf which was reached."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from icm_ray.network.layer import Shape
from icm_ray.network.layers.products import BiasedProduct
from icm_ray.ops.forms import Form, Matrix

__all__ = ["Leaves"]


class Leaves(BiasedProduct, frozen=True, kw_only=True, tag="leaves"):
    """y = x W^T + b of an input that has a single 1 among the leaves of each of `trees` trees, and zeros.

    `weight` names [out, trees * leaves], a tree's leaves side by side; `bias` [out] or is None.
    """

    trees: int

    channels_last: ClassVar[bool] = True

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        source = self.only(inputs)
        self.need(len(source) == 1 == len(self.shape) and self.trees >= 1 and source[0] % self.trees == 0, source)
        return self.shape

    def product(self, source: Shape) -> tuple[Form, Shape, Shape]:
        return Matrix(transposed=True), (self.shape[-1], source[-1]), source
