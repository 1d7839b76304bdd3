"""Comparisons with zero, whose answers are numbers: the questions of decision trees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from icm_ray.network.layer import Layer, NetworkBuild, Shape
from icm_ray.ops import compare
from icm_ray.program.build import Value

__all__ = ["Step"]


class Step(Layer, frozen=True, kw_only=True, tag="step"):
    """y = 1 where x >= 0, else 0: whole numbers, without fractional bits."""

    compares: ClassVar[bool] = True

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        return self.only(inputs)

    def lower(self, program: NetworkBuild) -> Value:
        x = program.value(self)
        return program.add(compare.AtLeast(0, max(x.type.width, 2)), x)
