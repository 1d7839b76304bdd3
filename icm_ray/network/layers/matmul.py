"""Matrix products of two branches."""

from __future__ import annotations

from collections.abc import Sequence

from icm_ray.network.layer import Shape
from icm_ray.network.layers.private_products import PrivateProduct
from icm_ray.ops.forms import Form, Matrices

__all__ = ["MatMul"]


class MatMul(PrivateProduct, frozen=True, kw_only=True, tag="matmul"):
    """a @ b for a (..., n, k) and b (..., k, m), the axes in front the same."""

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        self.arity(len(inputs) == 2, inputs)
        a, b = inputs
        self.need(len(a) == len(b) >= 2 and a[:-2] == b[:-2] and a[-1] == b[-2], b)
        return (*a[:-1], b[-1])

    def form(self) -> Form:
        return Matrices()
