"""Slices along one axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from icm_ray.network.layer import Layer, NetworkBuild, Shape
from icm_ray.ops import linear
from icm_ray.program.build import Value

__all__ = ["Slice"]


class Slice(Layer, frozen=True, kw_only=True, tag="slice"):
    """x[start:stop:step] along one axis, with 0 <= start < stop <= size and step >= 1."""

    axis: int
    start: int
    stop: int
    step: int

    homogeneous: ClassVar[bool] = True
    carries: ClassVar[bool] = True

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        source = self.only(inputs)
        self.need(0 <= self.axis < len(source), source)
        self.need(0 <= self.start < self.stop <= source[self.axis] and self.step >= 1, source)
        kept = len(range(self.start, self.stop, self.step))
        return (*source[: self.axis], kept, *source[self.axis + 1 :])

    def lower(self, program: NetworkBuild) -> Value:
        x = program.value(self)
        axes = [(0, size, 1) for size in x.type.shape]
        axes[self.axis + 1] = (self.start, self.stop, self.step)
        return program.add(linear.Slice(tuple(axes)), x)
