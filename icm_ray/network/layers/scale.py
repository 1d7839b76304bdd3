"""Scales: a public number times each value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from icm_ray.network.layer import Layer, NetworkBuild, Shape
from icm_ray.network.layers.factors import factor_error, times
from icm_ray.ops import linear
from icm_ray.program.build import Value

__all__ = ["Scale"]


class Scale(Layer, frozen=True, kw_only=True, tag="scale"):
    """y = factor x, with a factor that is written in the network's code and therefore public."""

    factor: float

    homogeneous: ClassVar[bool] = True

    @property
    def factor_error(self) -> float:
        """By how much the factor in the ring differs from the exact one."""
        return factor_error(abs(self.factor))

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        source = self.only(inputs)
        self.need(math.isfinite(self.factor), source)
        return source

    def lower(self, program: NetworkBuild) -> Value:
        x = program.value(self)
        if self.factor == 0:
            return program.add(linear.Scale(0), x)
        if self.factor < 0:
            x = program.add(linear.Scale(-1), x)
        return times(program, x, abs(self.factor))
