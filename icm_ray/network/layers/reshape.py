"""Reshapes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from icm_ray.network.layer import Layer, NetworkBuild, Shape
from icm_ray.ops import linear
from icm_ray.program.build import Value

__all__ = ["Reshape"]


class Reshape(Layer, frozen=True, kw_only=True, tag="reshape"):
    """Row-major order, the axes of `shape`."""

    homogeneous: ClassVar[bool] = True
    carries: ClassVar[bool] = True

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        source = self.only(inputs)
        self.need(math.prod(self.shape) == math.prod(source), source)
        return self.shape

    def lower(self, program: NetworkBuild) -> Value:
        return program.add(linear.Reshape((program.batch, *self.shape)), program.value(self))
