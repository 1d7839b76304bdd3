"""Permutations of axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from icm_ray.network.layer import Layer, NetworkBuild, Shape
from icm_ray.ops import linear
from icm_ray.program.build import Value

__all__ = ["Permute"]


class Permute(Layer, frozen=True, kw_only=True, tag="permute"):
    """Axis i of the output is axis axes[i] of the input."""

    axes: tuple[int, ...]

    homogeneous: ClassVar[bool] = True
    carries: ClassVar[bool] = True

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        source = self.only(inputs)
        self.need(sorted(self.axes) == list(range(len(source))), source)
        return tuple(source[axis] for axis in self.axes)

    def lower(self, program: NetworkBuild) -> Value:
        return program.add(linear.Permute((0, *(axis + 1 for axis in self.axes))), program.value(self))
