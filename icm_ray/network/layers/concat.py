"""Branches side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from icm_ray.network.layer import Layer, NetworkBuild, Shape
from icm_ray.ops import linear
from icm_ray.program.build import Value

__all__ = ["Concat"]


class Concat(Layer, frozen=True, kw_only=True, tag="concat"):
    """The inputs, one after another along `axis`."""

    axis: int

    carries: ClassVar[bool] = True

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        self.arity(len(inputs) >= 1, inputs)
        source, axis = inputs[0], self.axis
        self.need(0 <= axis < len(source), source)
        for other in inputs[1:]:
            self.need((*other[:axis], source[axis], *other[axis + 1 :]) == source, other)
        return (*source[:axis], sum(shape[axis] for shape in inputs), *source[axis + 1 :])

    def lower(self, program: NetworkBuild) -> Value:
        return program.add(linear.Concatenate(self.axis + 1), *program.aligned(self.inputs))
