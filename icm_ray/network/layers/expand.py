"""Repetition: values broadcast to a larger shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from icm_ray.network.layer import Layer, NetworkBuild, Shape
from icm_ray.ops import linear
from icm_ray.program.build import Value

__all__ = ["Expand"]


class Expand(Layer, frozen=True, kw_only=True, tag="expand"):
    """Axes of size 1 are repeated up to the sizes of `shape`, which has as many axes."""

    homogeneous: ClassVar[bool] = True
    carries: ClassVar[bool] = True

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        source = self.only(inputs)
        self.need(len(source) == len(self.shape) and min(self.shape, default=1) >= 1, source)
        self.need(all(size in {1, wanted} for size, wanted in zip(source, self.shape, strict=True)), source)
        return self.shape

    def lower(self, program: NetworkBuild) -> Value:
        return program.add(linear.Expand((program.batch, *self.shape)), program.value(self))
