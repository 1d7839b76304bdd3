"""Comparisons of values with a public number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from icm_ray.network.layer import Layer, NetworkBuild, Shape
from icm_ray.ops import compare
from icm_ray.ops.values import FULL_WIDTH
from icm_ray.program.build import Value

__all__ = ["AtLeast"]


class AtLeast(Layer, frozen=True, kw_only=True, tag="at_least"):
    """y = 1 where x >= at (strict: x > at), else 0. whole: x are whole numbers, so that rounding changes none."""

    at: float
    strict: bool = False
    whole: bool = False

    compares: ClassVar[bool] = True

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        source = self.only(inputs)
        self.need(math.isfinite(self.at), source)
        return source

    def lower(self, program: NetworkBuild) -> Value:
        x = program.value(self)
        if x.type.width > FULL_WIDTH - 2:
            x = program.settled(self.inputs[0])
        at = math.ldexp(min(max(self.at, -x.type.magnitude), x.type.magnitude), x.type.f)  # beyond it nothing changes
        edge = math.floor(at) + 1 if self.strict else math.ceil(at)
        return program.add(compare.AtLeast(edge, x.type.width + 2), x)
