"""Sums of two branches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from icm_ray.network.layer import Layer, NetworkBuild, Shape
from icm_ray.ops import linear
from icm_ray.program.build import Value

__all__ = ["Add"]


class Add(Layer, frozen=True, kw_only=True, tag="add"):
    """The sum of two values of one shape."""

    carries: ClassVar[bool] = True
    adds: ClassVar[bool] = True

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        self.arity(len(inputs) == 2, inputs)
        self.need(inputs[0] == inputs[1], inputs[1])
        return inputs[0]

    def lower(self, program: NetworkBuild) -> Value:
        """Nothing more where the product of the later branch has it."""
        if self.name in program.summed:
            return program.summed[self.name]
        return program.add(linear.Add(), *program.aligned(self.inputs))
