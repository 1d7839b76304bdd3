"""Products of two branches, value by value."""

from __future__ import annotations

from collections.abc import Sequence

from icm_ray.network.layer import Shape
from icm_ray.network.layers.private_products import PrivateProduct
from icm_ray.ops.forms import Elementwise, Form

__all__ = ["Multiply"]


class Multiply(PrivateProduct, frozen=True, kw_only=True, tag="multiply"):
    """a b; axes of size 1 of either are repeated. Both may be the same value: its square."""

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        self.arity(len(inputs) == 2, inputs)
        a, b = inputs
        self.need(len(a) == len(b) and all(1 in {m, n} or m == n for m, n in zip(a, b, strict=True)), b)
        return tuple(max(m, n) for m, n in zip(a, b, strict=True))

    def form(self) -> Form:
        return Elementwise()
