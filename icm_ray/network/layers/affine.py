"""Affine layers: what batch normalisation is in eval mode, where no product before it takes it in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Self

from msgspec.structs import replace

from icm_ray.network.layer import Shape
from icm_ray.network.layers.products import ProductLayer
from icm_ray.ops.forms import Convolution, Form

__all__ = ["Affine"]


class Affine(ProductLayer, frozen=True, kw_only=True, tag="affine"):
    """y[c] = scale[c] x[c] + shift[c] along axis 0; either may be None, not both. Both name [channels]."""

    scale: str | None
    shift: str | None

    @property
    def weight_key(self) -> str | None:
        return self.scale

    @property
    def bias_key(self) -> str | None:
        return self.shift

    def with_weights(self, weight: str | None, bias: str | None) -> Self:
        return replace(self, scale=weight, shift=bias)

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        source = self.only(inputs)
        self.need(len(source) >= 1 and not self.scale is self.shift is None, source)
        return source

    def weight_shapes(self, source: Shape) -> dict[str, Shape]:
        return {key: self.shape[:1] for key in (self.scale, self.shift) if key is not None}

    def product(self, source: Shape) -> tuple[Form, Shape, Shape]:
        # each channel times its own weight: a convolution of one cell with as many groups as channels
        channels, rest = source[0], math.prod(source[1:])
        return Convolution((1, 1), groups=channels), (channels, 1, 1, 1), (channels, 1, rest)
