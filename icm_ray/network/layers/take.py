"""Places of one axis by their numbers: flips, rolls, repeats, reflections, nearest neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from icm_ray.network.layer import Layer, NetworkBuild, Shape
from icm_ray.ops import linear
from icm_ray.program.build import Value

__all__ = ["Take"]


class Take(Layer, frozen=True, kw_only=True, tag="take"):
    """Place k of `axis` is place indices[k] of the input's; a place may be taken several times, or not at all."""

    axis: int
    indices: tuple[int, ...]

    homogeneous: ClassVar[bool] = True
    carries: ClassVar[bool] = True

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        source = self.only(inputs)
        self.need(0 <= self.axis < len(source) and len(self.indices) > 0, source)
        self.need(min(self.indices) >= 0 and max(self.indices) < source[self.axis], source)
        return (*source[: self.axis], len(self.indices), *source[self.axis + 1 :])

    def lower(self, program: NetworkBuild) -> Value:
        return program.add(linear.Take(self.axis + 1, self.indices), program.value(self))
